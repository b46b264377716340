"""Make a bundle for another reference, with the models as they are.

Nothing is trained. The certificate speaks of the reference that it was tested on; the new bundle says so.

  matching reindex --bundle bundles/issuers --reference new.csv --out bundles/issuers-new
"""

from __future__ import annotations

import argparse

from matching_assets.commands.fit import read_reference
from matching_assets.commands.options import add_bundle, add_reference, new_folder


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_bundle(parser)
    add_reference(parser)
    parser.add_argument("--out", metavar="DIR", type=new_folder, required=True, help="the new bundle")


def run(given: argparse.Namespace) -> int:
    """Index the reference and say what was made."""
    from matching.bundle import read_manifest
    from matching.scoring import Scorer
    from matching_assets.wording import told_certificate

    reference, aliases = read_reference(given, given.out)
    manifest = read_manifest(Scorer.load(given.bundle).reindex(reference, aliases, given.out))
    print(f"bundle {manifest.version} with {reference.height:,} references: {given.out}")
    print(told_certificate(manifest.facts["certificate"]["statement"]))
    return 0
