"""Run the whole asset graph on the embedded sample, in this process.

From raw records to a deployed endpoint: index constituents against SEC registrants, on ten business days. All state
goes to MATCHING_HOME, or .matching here; `matching dev` shows it afterwards.

  matching demo
"""

from __future__ import annotations

import argparse
import sys
import time


def add(parser: argparse.ArgumentParser) -> None:
    """It has no options: the state folder is an environment variable, because everything else uses it too."""


def run(_given: argparse.Namespace) -> int:
    """Run the graph and print what came out; a check that stops it is told in a line, because the UI has the rest."""
    import dagster as dg

    from matching_assets.demo import run_demo
    from matching_assets.progress import stages
    from matching_assets.wording import told_demo
    from resources.environment import state_folder

    home = state_folder()
    started = time.perf_counter()
    try:
        with stages("demo") as progress:
            result = run_demo(home, progress)
    except dg.DagsterError as problem:
        reason = " ".join(str(problem).split())
        print(f"matching: the demo was stopped: {reason}. `matching dev` shows the run.", file=sys.stderr)
        return 1
    print(told_demo(result))
    print(f"\nAll of this took {time.perf_counter() - started:.0f} s and is kept in {home}.")
    print("Look at it in the Dagster UI:  make dev  (or: matching dev), then http://127.0.0.1:3000")
    return 0
