"""The bundle that matches nothing: another one with its certificate withdrawn.

Everything else in it is the other's, byte for byte, so a record gets the same candidate, probability and reasons. The
same bundle closed twice gives the same bytes: why it was closed is the registry's to keep.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from matching.bundle import FORMAT, MANIFEST, Manifest, read_manifest, verify_bundle
from matching.files import atomic_folder, folder_files, write_json
from matching.policy import Policy
from matching.reasons import CATALOGUE

POLICY, REASONS = "policy.json", "reasons.yaml"


def close_bundle(bundle: Path, out: Path) -> Manifest:
    """Write the closed form of a bundle to `out`, whole or not at all. Raises BundleError when the bundle is torn."""
    parent = verify_bundle(bundle)
    policy = Policy.from_json(json.loads((bundle / POLICY).read_text())).close()
    with atomic_folder(out) as draft:
        for name in parent.files:
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / name, draft / name)
        write_json(draft / POLICY, policy.to_json())
        shutil.copyfile(CATALOGUE, draft / REASONS)  # an older one may not know the reason that is given now
        facts = parent.facts | {"parent": parent.version, "certificate": asdict(policy.certificate)}
        write_json(draft / MANIFEST, {"format": FORMAT, "files": folder_files(draft), "facts": facts})
    return read_manifest(out)
