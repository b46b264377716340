"""Say where a decision on a record came from, and what became of it.

Prints the run, the file, the bundle with its approval, what that was made from, and what people said. Ids and dates
only, no names.

  matching trace RECORD_ID
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import folder


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("record_id", metavar="RECORD_ID", help="the record_id as it was delivered")
    parser.add_argument("--home", metavar="DIR", type=folder, help="state folder (default MATCHING_HOME, or .matching)")


def run(given: argparse.Namespace) -> int:
    """Print the trace. Raises InputError when the record was never decided."""
    import dagster as dg

    from matching.records import InputError
    from matching_assets.instance import prepare_instance
    from matching_assets.review.verdicts import verdicts_below
    from matching_assets.trace import Trace
    from resources.environment import for_environment, state_folder

    home = state_folder(given.home)
    if not (home / "dagster").is_dir():
        remedy = "Name it with --home or MATCHING_HOME; `matching demo` makes one."
        raise InputError("this is no state folder", file=str(home), remedy=remedy)
    prepare_instance(home)
    with dg.DagsterInstance.get() as instance:
        for line in Trace(given.record_id, for_environment(home=home), verdicts_below(home), instance).lines():
            print(line)
    return 0
