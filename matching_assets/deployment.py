"""Deployments from the command line: the jobs run in this process, on the instance that the UI shows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from matching_assets import experiment
from matching_assets.closing import why_closed
from matching_assets.definitions import build_defs
from matching_assets.instance import prepare_instance
from matching_assets.release import ENDPOINT
from matching_assets.tags import REASON_TAG
from resources.endpoint import EndpointError
from resources.environment import for_environment, state_folder
from resources.registry import NotApprovedError
from resources.rollout import BusyError

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_deployment(job: str, config: Mapping[str, Any], assets: Sequence[str]) -> int:
    """Run a job with `config` for each of its assets; say what serves, or why nothing was changed. The exit code."""
    resources = _resources()
    done = _run(job, resources, {asset: {"config": dict(config)} for asset in assets})
    with dg.build_resources({name: resources[name] for name in ("registry", "endpoint")}) as there:
        champion = there.registry.champion()
        if champion is not None and done.success:
            status = there.endpoint.describe(ENDPOINT)
            print(f"version {champion.version} serves at {status.url}: {status.status}, bundle {status.version}")
            if why := why_closed(champion):
                print(f"automatic matching is closed: {why}")
    return 0 if done.success else 1


def run_experiment(share: float | None, by: str) -> int:
    """Start an A/B with this share for the new version, or end it (None); say who has which share. The exit code."""
    resources = _resources()
    with dg.build_resources({name: resources[name] for name in ("registry", "endpoint", "store")}) as there:
        try:
            if share is None:
                status = experiment.stop(there.registry, there.store, there.endpoint)
            else:
                status = experiment.start(there.registry, there.store, there.endpoint, share, by)
        except (NotApprovedError, EndpointError, BusyError) as problem:
            print(f"matching: {problem}", file=sys.stderr)
            return 1
    shares = ", ".join(f"{v.weight:.0%} bundle {v.version} ({v.name})" for v in status.variants)
    print(f"{status.url}: {status.status}, {shares}")
    return 0


def look_at_experiment() -> int:
    """Run the job `experiment` and print what is shown so far; 1 when it could not be looked at."""
    done = _run("experiment", _resources(), {})
    if not done.success:
        return 1
    (found,) = done.asset_materializations_for_node("experiment_result")
    about = {name: value.value for name, value in found.metadata.items()}
    print(f"A/B since {about['experiment']}: {about['sentence']}" if "sentence" in about else "no A/B is under way")
    return 0


def _resources() -> dict[str, Any]:
    home = state_folder()
    prepare_instance(home)
    return for_environment(home=home)


def _run(job: str, resources: dict[str, Any], ops: Mapping[str, Any]) -> dg.ExecuteInProcessResult:
    """Run a job, and tell stderr what failed."""
    with dg.DagsterInstance.get() as instance:
        done = (
            build_defs(resources)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**QUIET, "ops": dict(ops)},
                raise_on_error=False,
                tags={REASON_TAG: "person"},
            )
        )
    for check in done.get_asset_check_evaluations():
        if not check.passed:
            print(f"matching: {check.check_name}: {check.description}", file=sys.stderr)
    for event in done.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error.cause or event.step_failure_data.error
            print(f"matching: {error.message.partition(': ')[2].strip()}", file=sys.stderr)
    return done
