"""Deploy the newest approved version, after a comparison with the champion.

What serves stays until the new version answers as it should; with --canary or --linear the traffic moves step by step,
and back by itself when an alarm rings, when nobody asks, or when the version does worse than a fresh instance of the
old one beside it.

  matching promote
  matching promote --canary 0.1 --bake 300 --by ann
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import share


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--canary", metavar="SHARE", type=share, help="first so much of the traffic (up to .5), then all")
    how.add_argument(
        "--linear", metavar="SHARE", type=share, help="so much more of the traffic at each step (.1 to .5)"
    )
    parser.add_argument(
        "--bake", metavar="SECONDS", type=float, default=0.0, help="watch each step so long (default 0)"
    )
    parser.add_argument(
        "--requests",
        metavar="N",
        type=int,
        default=20,
        help="of a canary or linear step: ask it at least so often before it counts as watched (default 20)",
    )
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=600.0,
        help="for these requests, beside the bake; then the traffic goes back (default 600)",
    )
    parser.add_argument("--by", metavar="NAME", default="", help="who asks: with four eyes, not who approved")


def run(given: argparse.Namespace) -> int:
    """Run the job `promote`; 1 when the version was not deployed."""
    from matching_assets.deployment import run_deployment

    kind = "CANARY" if given.canary else "LINEAR" if given.linear else "ALL_AT_ONCE"
    config = {"rollout": kind, "share": given.canary or given.linear or 1.0, "bake_seconds": given.bake}
    config |= {"least_requests": given.requests, "traffic_seconds": given.wait}
    return run_deployment("promote", {**config, "requested_by": given.by}, ["shadow_comparison", "deployed_endpoint"])
