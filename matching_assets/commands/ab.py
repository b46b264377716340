"""Try the newest approved version beside the champion on live traffic, and end that.

start gives it a share of the traffic; the same command with another share changes the share. status looks at what
labels have shown so far and records it as the asset experiment_result; look as often as you like. stop gives all of the
traffic back to the champion. While an A/B is under way, promote lets the version take over only when it is shown to be
better.

  matching ab start --share 0.5 --by ann
  matching ab status
  matching ab stop
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import share


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("action", choices=("start", "status", "stop"))
    parser.add_argument(
        "--share", metavar="SHARE", type=share, default=0.5, help="of the traffic, for the new version (default .5)"
    )
    parser.add_argument("--by", metavar="NAME", default="", help="who asks: with four eyes, not who approved")


def run(given: argparse.Namespace) -> int:
    """Do it and say what serves; 1 when it could not be done."""
    from matching_assets.deployment import look_at_experiment, run_experiment

    if given.action == "status":
        return look_at_experiment()
    return run_experiment(given.share if given.action == "start" else None, given.by)
