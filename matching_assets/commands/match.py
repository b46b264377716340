"""Decide for each record which reference it is.

Writes record_id, reference_id, probability, decision (match, review, no_match), the runner-up and the reasons. Rows
that break a rule go to <decisions>.quarantine.csv instead, with the rule and what to do.

  matching match --bundle bundles/issuers --records today.csv --decisions decisions.csv
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from contextlib import ExitStack

from matching_assets.commands.options import TABLE, add_bundle, positive
from matching_assets.commands.tables import appending, quarantine_path, read_guarded
from matching_assets.progress import bar

BATCH = 1024  # records scored at once: some 50,000 pairs with their features


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_bundle(parser)
    parser.add_argument("--records", metavar="F", required=True, help=f"record_id, name, ...: {TABLE}")
    parser.add_argument("--decisions", metavar="F", required=True, help="where the decisions go")
    parser.add_argument("--candidates", metavar="F", help="where the candidates of each record go")
    parser.add_argument("--top-k", metavar="N", type=positive, default=50, help="candidates for a record (default 50)")


def run(given: argparse.Namespace) -> int:
    """Score in batches, so that memory does not grow with the file, and say how many fell into each band."""
    from matching.guardrails import guard_records
    from matching.scoring import Scorer

    records = read_guarded(given.records, "records", guard_records, quarantine_path(given.decisions))
    scorer = Scorer.load(given.bundle)
    bands: Counter[str] = Counter()
    started = time.perf_counter()
    with ExitStack() as stack:
        decide = stack.enter_context(appending(given.decisions))
        propose = stack.enter_context(appending(given.candidates)) if given.candidates else None
        done = stack.enter_context(bar(records.height, "matching", "records"))
        for batch in records.iter_slices(BATCH):
            scored = scorer.score(batch, top_k=given.top_k)
            decide(scored.decisions)
            if propose:
                propose(scored.candidates)
            bands.update(scored.decisions["decision"].to_list())
            done.update(batch.height)
    seconds = time.perf_counter() - started
    print(f"{records.height:,} decisions in {seconds:.1f} s, by bundle {scorer.bundle_version}: {given.decisions}")
    for band in ("match", "review", "no_match"):
        print(f"  {band:<9}{bands[band]:>9,}  {bands[band] / records.height:6.1%}")
    return 0
