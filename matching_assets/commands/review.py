"""Review decisions in the browser: a record beside its candidates, judged by keys.

Shows what the table review_queue holds, on this machine only: the address that is printed is the key to the page, so
give it to nobody. What is judged becomes labels, which the next training reads. Ctrl-C ends it; nothing is lost.

  matching review --reviewer r017
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import add_home, port, require_free, state_of


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--reviewer", metavar="ID", required=True, help="who you are: an id such as a staff number")
    add_home(parser)
    parser.add_argument("--port", metavar="P", type=port, default=8090, help="port of the page (default 8090)")


def run(given: argparse.Namespace) -> int:
    """Serve the page until stopped. Raises InputError when there is no queue to show."""
    from matching.records import InputError
    from matching.verdicts import checked_reviewer
    from matching_assets.review.app import serve
    from matching_assets.review.desk import Desk
    from matching_assets.review.verdicts import verdicts_below
    from resources.environment import for_environment
    from resources.store import MissingError

    reviewer, home = checked_reviewer(given.reviewer), state_of(given.home)
    require_free("127.0.0.1", given.port)
    resources = for_environment(home=home)
    try:
        desk = Desk(reviewer, resources["tables"], resources["store"], resources["registry"], verdicts_below(home))
    except MissingError as problem:
        remedy = "Match a day first: launch `daily_matching`, or materialise review_queue for a day that is matched."
        raise InputError(str(problem), file=str(home), remedy=remedy) from problem
    progress = desk.progress()
    print(f"{progress.left} records to judge, {progress.given} judged today.")
    serve(desk, given.port, lambda address: print(f"Open {address}", flush=True))
    return 0
