"""Say whether the daemon, its sensors and the endpoint live: for people, cron, and a container's health check.

Exit code 0 when all do, 1 when one does not. Open alerts are listed and change nothing about it: whoever raised them
is alive.

  matching health
  */5 * * * * matching health --home /srv/matching > /tmp/health || mail -s "matching is unwatched" oncall < /tmp/health
"""

from __future__ import annotations

import argparse
import time

from matching_assets.commands.options import add_home, state_of


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_home(parser)


def run(given: argparse.Namespace) -> int:
    """Print what was found, a line each; 1 when something is dead."""
    import dagster as dg

    from matching_assets.health import examine
    from matching_assets.instance import prepare_instance
    from resources.board import Board
    from resources.environment import for_environment

    home = state_of(given.home)
    prepare_instance(home)
    keys = ("endpoint", "alerts")
    with dg.DagsterInstance.get() as instance, dg.build_resources(_some(for_environment(home=home), keys)) as there:
        resources = {key: getattr(there, key) for key in keys}
        found = examine(instance, resources, Board(home=str(home)), time.time())
    for finding in found:
        print(f"{finding.word:4} {finding.line}")
    return 1 if any(finding.well is False for finding in found) else 0


def _some(resources: dict[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    return {key: resources[key] for key in keys}
