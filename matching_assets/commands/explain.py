"""Say why one record is decided as it is, with the runner-up.

Each reason comes with its weight in log-odds; the weights add up to what sets this pair apart from an average one.

  matching explain --bundle bundles/first --record '{"name": "IBM", "country": "United States"}'
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from matching_assets.commands.options import add_bundle

if TYPE_CHECKING:
    import polars as pl


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_bundle(parser)
    parser.add_argument("--record", metavar="JSON", required=True, help="an object with a name and any attributes")


def read_record(text: str) -> pl.DataFrame:
    """The record as a frame of one row. Raises InputError when it is no object, or breaks a rule of the guardrails."""
    import polars as pl

    from matching.guardrails import guard_records
    from matching.records import InputError

    try:
        record = json.loads(text)
    except ValueError as problem:
        raise InputError(f"not JSON: {problem}", file="--record", remedy='Write {"name": "..."}.') from problem
    if not isinstance(record, dict):
        raise InputError("not an object", file="--record", remedy='Write {"name": "..."}.')
    frame = pl.DataFrame([{"record_id": "record"} | record], strict=False)
    guarded = guard_records(frame, "--record")
    if guarded.accepted.is_empty():
        raise InputError(guarded.quarantined["reason"].item(), file="--record")
    return guarded.accepted


def run(given: argparse.Namespace) -> int:
    """Score the record and print the decision with its reasons."""
    from matching.scoring import Scorer
    from matching_assets.wording import told_decision

    record = read_record(given.record)
    scorer = Scorer.load(given.bundle)
    decision = scorer.score(record).decisions.row(0, named=True)
    names = dict(scorer.index.master.select("reference_id", "name").iter_rows())
    print(f"{record['name'].item()}\n{told_decision(decision, names)}\nby bundle {scorer.bundle_version}")
    return 0
