"""Say where a decision on a record came from, and what became of it.

Prints the run, the file, the bundle with its approval, what that was made from, and what people said. Ids and dates
only, no names.

  matching trace RECORD_ID
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import add_home, state_of


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("record_id", metavar="RECORD_ID", help="the record_id as it was delivered")
    add_home(parser)


def run(given: argparse.Namespace) -> int:
    """Print the trace. Raises InputError when the record was never decided."""
    import dagster as dg

    from matching_assets.instance import prepare_instance
    from matching_assets.review.verdicts import verdicts_below
    from matching_assets.trace import Trace
    from resources.environment import for_environment

    home = state_of(given.home)
    prepare_instance(home)
    with dg.DagsterInstance.get() as instance:
        for line in Trace(given.record_id, for_environment(home=home), verdicts_below(home), instance).lines():
            print(line)
    return 0
