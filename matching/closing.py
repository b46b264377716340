"""The bundle that matches nothing: another one with its certificate withdrawn.

All else that scores is the other's, byte for byte, so a record gets the same candidate, probability and reasons. What
drift is measured from is put as the closed bundle decides it, or having no matches would alarm. The same bundle closed
twice gives the same bytes: why it was closed is the registry's to keep.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import polars as pl

from matching.bundle import FORMAT, MANIFEST, Manifest, read_manifest, verify_bundle
from matching.files import atomic_folder, folder_files, write_json
from matching.policy import Policy
from matching.reasons import CATALOGUE
from matching.records import read_own

POLICY, REASONS, TELEMETRY = "policy.json", "reasons.yaml", "telemetry.parquet"


def close_bundle(bundle: Path, out: Path) -> Manifest:
    """Write the closed form of a bundle to `out`, whole or not at all. Raises BundleError when the bundle is torn."""
    parent = verify_bundle(bundle)
    policy = Policy.from_json(json.loads((bundle / POLICY).read_text())).close()
    with atomic_folder(out) as draft:
        for name in parent.files:
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / name, draft / name)
        write_json(draft / POLICY, policy.to_json())
        usual = read_own(bundle / TELEMETRY)
        usual.with_columns(pl.col("decision").replace({"match": "review"})).write_parquet(draft / TELEMETRY)
        shutil.copyfile(CATALOGUE, draft / REASONS)  # an older one may not know the reason that is given now
        facts = parent.facts | {"parent": parent.version, "certificate": asdict(policy.certificate)}
        write_json(draft / MANIFEST, {"format": FORMAT, "files": folder_files(draft), "facts": facts})
    return read_manifest(out)
