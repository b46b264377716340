"""Match nothing without review, from now on: the champion's certificate is withdrawn.

What it would have matched is reviewed with the same reference, and the reason MATCHING_CLOSED; all else is decided as
before. `matching promote` of another version opens it again, and so does `matching rollback`. A second time does
nothing.

  matching close --why "audit found 9 of 300 matches wrong" --by ann
"""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--why", metavar="TEXT", required=True, help="kept in the registry; no names of records")
    parser.add_argument("--by", metavar="NAME", default="", help="who asks, for the registry's log")


def run(given: argparse.Namespace) -> int:
    """Run the job `close_matching`; 1 when it still matches."""
    from matching_assets.deployment import run_deployment

    config = {"version": "CLOSED", "why": given.why, "requested_by": given.by}
    return run_deployment("close_matching", config, ["deployed_endpoint"])
