"""Decide for each record which reference it is.

Writes record_id, reference_id, probability, decision (match, review, no_match), the runner-up and the reasons. Rows
that break a rule go to <decisions>.quarantine.csv instead, with the rule and what to do. Several names of one account
can be decided as one: --account names the column that says whose name a record is.

  matching match --bundle bundles/issuers --records today.csv --decisions decisions.csv
  matching match ... --account client_number --accounts accounts.csv
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from contextlib import ExitStack

from matching_assets.commands.options import TABLE, add_bundle, positive
from matching_assets.commands.tables import appending, quarantine_path, read_guarded
from matching_assets.progress import bar

BATCH = 4096  # records scored at once, in parts beside one another (`matching.scoring.PART`)


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_bundle(parser)
    parser.add_argument("--records", metavar="F", required=True, help=f"record_id, name, ...: {TABLE}")
    parser.add_argument("--decisions", metavar="F", required=True, help="where the decisions go")
    parser.add_argument("--candidates", metavar="F", help="where the candidates of each record go")
    parser.add_argument("--account", metavar="COLUMN", help="the column of records that says whose name it is")
    parser.add_argument("--accounts", metavar="F", help="where one decision for each account goes")
    parser.add_argument("--top-k", metavar="N", type=positive, default=50, help="candidates for a record (default 50)")


def run(given: argparse.Namespace) -> int:
    """Score in batches, so that memory does not grow with the file, and say how many fell into each band."""
    import polars as pl

    from matching.accounts import account_of, combine
    from matching.guardrails import guard_records
    from matching.records import InputError, write_table
    from matching.scoring import Scorer

    if bool(given.account) != bool(given.accounts):
        raise InputError("--account and --accounts go together", remedy="Give both, or neither.")
    records = read_guarded(given.records, "records", guard_records, quarantine_path(given.decisions))
    account = account_of(records, given.account, given.records) if given.account else None
    scorer = Scorer.load(given.bundle)
    decided = []
    bands: Counter[str] = Counter()
    started = time.perf_counter()
    with ExitStack() as stack:
        decide = stack.enter_context(appending(given.decisions))
        propose = stack.enter_context(appending(given.candidates)) if given.candidates else None
        done = stack.enter_context(bar(records.height, "matching", "records"))
        for batch in records.iter_slices(BATCH):
            scored = scorer.score(batch, top_k=given.top_k)
            decide(scored.decisions)
            if account is not None:
                decided.append(scored.decisions)
            if propose:
                propose(scored.candidates)
            bands.update(scored.decisions["decision"].to_list())
            done.update(batch.height)
    seconds = time.perf_counter() - started
    print(f"{records.height:,} decisions in {seconds:.1f} s, by bundle {scorer.bundle_version}: {given.decisions}")
    tell_bands(bands)
    if account is not None:
        combined = combine(pl.concat(decided), account, scorer.policy.certificate.threshold)
        write_table(combined, given.accounts)
        print(f"{combined.height:,} accounts: {given.accounts}")
        tell_bands(Counter(combined["decision"].to_list()))
    return 0


def tell_bands(bands: Counter[str]) -> None:
    """How many fell into each band."""
    for band in ("match", "review", "no_match"):
        print(f"  {band:<9}{bands[band]:>9,}  {bands[band] / max(bands.total(), 1):6.1%}")
