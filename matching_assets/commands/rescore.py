"""Score days again with a bundle of your choice, beside what was decided: nothing that was decided is changed.

A run for each business day that was taken in and decided. What would be otherwise, and why, is in the table
decision_diff; the numbers of each day are printed. Bundles are named by registry version, bundle version or digest.

  matching rescore --from 2026-01-05 --to 2026-01-09 --version 3
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import day


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--from", dest="first", metavar="DAY", type=day, required=True, help="YYYY-MM-DD")
    parser.add_argument("--to", dest="last", metavar="DAY", type=day, required=True, help="YYYY-MM-DD, and it too")
    parser.add_argument("--version", metavar="V", required=True, help="registry version, bundle version or digest")


def run(given: argparse.Namespace) -> int:
    """Run the job `rescore` for each day; 1 when a day could not be scored. Raises InputError when there is none."""
    from matching_assets.deployment import rescore_days

    return rescore_days(given.first, given.last, given.version)
