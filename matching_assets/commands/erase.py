"""Erase a record: what tables, landed files, verdicts and telemetry hold about its id.

Tokens of the id are erased too, under the keys of MATCHING_TOKEN_KEY and MATCHING_TOKEN_KEYS_BEFORE. It cannot be taken
back. Bundles are immutable: what they hold of it goes when their version is retired.

  matching erase RECORD_ID
"""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("record_id", metavar="RECORD_ID", nargs="+", help="a record_id as it was delivered, or a token")


def run(given: argparse.Namespace) -> int:
    """Run the job `erase`; 1 when nothing was known of the records."""
    from matching_assets.deployment import run_erasure

    return run_erasure(given.record_id)
