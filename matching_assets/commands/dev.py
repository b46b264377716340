"""Open the Dagster UI and its daemon on this checkout.

They show the state folder, MATCHING_HOME or .matching here: after `matching demo`, the runs, plots and checks of that
demo. Only this machine can reach them. Ctrl-C stops both.

  matching dev
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from matching_assets.commands.options import port, require_free


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--port", metavar="P", type=port, default=3000, help="port of the UI (default 3000)")


def run(given: argparse.Namespace) -> int:
    """Become `dg dev`. Raises InputError when it is not installed."""
    from matching.records import InputError

    dg = Path(sys.executable).with_name("dg")
    if not dg.is_file():
        raise InputError("dg is not installed", file=str(dg), remedy="Run `make setup`.")
    require_free("127.0.0.1", given.port)

    from matching_assets.instance import CHECKOUT, prepare_instance
    from resources.environment import state_folder

    home = state_folder()
    # Dagster warns of a dagster.yaml that it does not use, such as the checkout's when started there.
    os.chdir(prepare_instance(home))
    print(f"Dagster on {home}: http://127.0.0.1:{given.port}", flush=True)
    workspace = str(CHECKOUT / "workspace.yaml")
    os.execv(dg, [str(dg), "dev", "--workspace", workspace, "--host", "127.0.0.1", "--port", str(given.port)])
