"""Deploy the champion before this one, if it is still approved. It needs no second pair of eyes.

matching rollback --by ann
"""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--by", metavar="NAME", default="", help="who asks, for the registry's log")


def run(given: argparse.Namespace) -> int:
    """Run the job `rollback`; 1 when nothing was rolled back."""
    from matching_assets.deployment import run_deployment

    return run_deployment("rollback", {"version": "PREVIOUS", "requested_by": given.by}, ["deployed_endpoint"])
