"""The jobs `promote` and `rollback` for the command line: run in this process, on the instance that the UI shows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from matching_assets.definitions import build_defs
from matching_assets.instance import prepare_instance
from matching_assets.release import ENDPOINT
from resources.environment import for_environment, state_folder

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_deployment(job: str, config: Mapping[str, Any], assets: Sequence[str]) -> int:
    """Run a job with `config` for each of its assets; say what serves, or why nothing was changed. The exit code."""
    home = state_folder()
    prepare_instance(home)
    resources = for_environment(home=home)
    ops = {asset: {"config": dict(config)} for asset in assets}
    with dg.DagsterInstance.get() as instance:
        done = (
            build_defs(resources)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**QUIET, "ops": ops},
                raise_on_error=False,
                tags={"matching/reason": "person"},
            )
        )
    for check in done.get_asset_check_evaluations():
        if not check.passed:
            print(f"matching: {check.check_name}: {check.description}", file=sys.stderr)
    for event in done.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error.cause or event.step_failure_data.error
            print(f"matching: {error.message.partition(': ')[2].strip()}", file=sys.stderr)
    with dg.build_resources({name: resources[name] for name in ("registry", "endpoint")}) as there:
        champion = there.registry.champion()
        if champion is not None and done.success:
            status = there.endpoint.describe(ENDPOINT)
            print(f"version {champion.version} serves at {status.url}: {status.status}, bundle {status.version}")
    return 0 if done.success else 1
