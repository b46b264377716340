"""Measure decisions against labels: precision and coverage by band, calibration, and recall with --candidates.

Labels that break a rule go to <decisions>.labels.quarantine.csv, with the rule and what to do.

  matching evaluate --decisions decisions.csv --labels labels.csv
"""

from __future__ import annotations

import argparse
import json

from matching_assets.commands.options import TABLE
from matching_assets.commands.tables import quarantine_path, read_columns, read_guarded


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--decisions", metavar="F", required=True, help=f"what `matching match` wrote: {TABLE}")
    parser.add_argument("--labels", metavar="F", required=True, help="record_id, reference_id (empty: no match)")
    parser.add_argument("--candidates", metavar="F", help="what `matching match --candidates` wrote")
    parser.add_argument("--json", action="store_true", help="every number as JSON")


def run(given: argparse.Namespace) -> int:
    """Evaluate and print."""
    import polars as pl

    from matching.evaluation import BANDS, evaluate
    from matching.guardrails import guard_labels
    from matching_assets.wording import told_metrics

    ids = {"record_id": pl.String, "reference_id": pl.String}
    decisions = read_columns(given.decisions, ids | {"probability": pl.Float64, "decision": pl.Enum(BANDS)})
    candidates = None
    if given.candidates:
        candidates = read_columns(given.candidates, ids | {"rank": pl.Int64, "score": pl.Float64})
    labels = read_guarded(
        given.labels,
        "labels",
        # The reference is not at hand, and labels of other records are no mistake: they are counted.
        lambda frame, file: guard_labels(frame, frame["record_id"], frame["reference_id"], file),
        quarantine_path(given.decisions, "labels"),
    )
    measured = evaluate(decisions.cast({"decision": pl.String}), labels, candidates)
    print(json.dumps(measured, indent=1, sort_keys=True) if given.json else told_metrics(measured))
    return 0
