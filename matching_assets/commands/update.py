"""Add, replace or remove a few references of a bundle; the models stay, and only new names are read.

A row with an id that is there already replaces that row and keeps its aliases. The new bundle is the same as `reindex`
would make of the whole new reference. Rows that break a rule go to <out>.<input>.quarantine.csv.

  matching update --bundle bundles/issuers --add new.csv --remove gone.csv --out bundles/issuers-tuesday
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import TABLE, add_bundle, new_folder
from matching_assets.commands.tables import quarantine_path, read_columns, read_guarded


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_bundle(parser)
    parser.add_argument("--add", metavar="F", help=f"reference_id, name, ...: new or replaced rows; {TABLE}")
    parser.add_argument("--remove", metavar="F", help="reference_id: rows that are no more")
    parser.add_argument("--aliases", metavar="F", help="reference_id, alias, asof: names that come to those there are")
    parser.add_argument("--out", metavar="DIR", type=new_folder, required=True, help="the new bundle")


def run(given: argparse.Namespace) -> int:
    """Change the reference and say what was made."""
    import polars as pl

    from matching.bundle import read_manifest
    from matching.guardrails import guard_aliases, guard_reference
    from matching.records import InputError
    from matching.scoring import Scorer
    from matching_assets.wording import told_certificate

    if not (given.add or given.remove or given.aliases):
        raise InputError("nothing to change", remedy="Give --add, --remove or --aliases.")
    scorer = Scorer.load(given.bundle)
    added = scorer.index.master.select("reference_id", "name").clear()
    removed = pl.Series("reference_id", [], dtype=pl.String)
    aliases = None
    if given.add:
        added = read_guarded(given.add, "added", guard_reference, quarantine_path(str(given.out), "add"))
    if given.remove:
        removed = read_columns(given.remove, {"reference_id": pl.String})["reference_id"]
    if given.aliases:
        known = pl.concat([pl.Series(list(scorer.index.reference_number), dtype=pl.String), added["reference_id"]])
        aliases = read_guarded(
            given.aliases,
            "aliases",
            lambda frame, file: guard_aliases(frame, known, file),
            quarantine_path(str(given.out), "aliases"),
        )
    manifest = read_manifest(scorer.update(added, removed, aliases, given.out))
    counts = f"{added.height:,} references added or replaced, {len(removed):,} removed"
    print(f"bundle {manifest.version} with {manifest.facts['references']:,} references ({counts}): {given.out}")
    print(told_certificate(manifest.facts["certificate"]["statement"]))
    return 0
