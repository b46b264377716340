"""Deployments from the command line: the jobs run in this process, on the instance that the UI shows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from matching.records import InputError
from matching_assets import erasure, experiment
from matching_assets.closing import why_closed
from matching_assets.definitions import build_defs
from matching_assets.instance import prepare_instance
from matching_assets.release import ENDPOINT
from matching_assets.rescoring import bundle_named
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


def rescore_days(first: str, last: str, version: str) -> int:
    """Run the job `rescore` for each decided day from `first` to `last` (ISO), and print what would be otherwise.

    1 when a day failed. InputError: no day was decided, or there is no such bundle.
    """
    resources = _resources()
    with dg.build_resources({name: resources[name] for name in ("registry", "store")}) as there:
        bundle_named(version, there.registry, there.store)
    with dg.DagsterInstance.get() as instance:
        decided = instance.get_materialized_partitions(dg.AssetKey("match_decisions"))
    days = sorted(day for day in decided if first <= day <= last)
    if not days:
        remedy = f"Decided are {len(decided)} days, {min(decided, default='none')} to {max(decided, default='none')}."
        raise InputError(f"no day from {first} to {last} was decided", remedy=remedy)
    succeeded = True
    for day in days:
        done = _run("rescore", resources, {"rescored_decisions": {"config": {"version": version}}}, day)
        succeeded &= done.success
        if done.success:
            (found,) = done.asset_materializations_for_node("decision_diff")
            told = {name: value.value for name, value in found.metadata.items()}
            print(
                f"{day}  {told['records']:,} records, bundle {told['bundle_version_was']} to "
                f"{told['bundle_version_now']}: {told['band_changed']:,} in another band, "
                f"{told['reference_changed']:,} with another reference, {told['matches_gained']:,} matches gained, "
                f"{told['matches_lost']:,} lost, {told['matched_to_another']:,} to another"
            )
    return 0 if succeeded else 1


def look_at_experiment() -> int:
    """Run the job `experiment` and print what is shown so far; 1 when it could not be looked at."""
    done = _run("experiment", _resources(), {})
    if not done.success:
        return 1
    (found,) = done.asset_materializations_for_node("experiment_result")
    about = {name: value.value for name, value in found.metadata.items()}
    print(f"A/B since {about['experiment']}: {about['sentence']}" if "sentence" in about else "no A/B is under way")
    return 0


def run_erasure(record_ids: Sequence[str]) -> int:
    """Run the job `erase` for these ids, and print what was erased where; 1 when it failed or nothing was known."""
    resources = _resources()
    erasure.request(Path(state_folder()) / "landing", record_ids)
    done = _run("erase", resources, {})
    if not done.success:
        return 1
    (told,) = (e.step_output_data for e in done.all_events if e.is_successful_output and e.step_output_data)
    erased = {name: value.value for name, value in told.metadata.items() if name != "requests" and value.value}
    for name, rows in erased.items():
        print(f"{rows:>8}  {name.replace('_', ' ', 1)}")
    print("erased" if erased else "nothing was known under this id")
    return 0 if erased else 1


def _resources() -> dict[str, Any]:
    home = state_folder()
    prepare_instance(home)
    return for_environment(home=home)


def _run(
    job: str, resources: dict[str, Any], ops: Mapping[str, Any], day: str | None = None
) -> dg.ExecuteInProcessResult:
    """Run a job, or a day of it, and tell stderr what failed."""
    with dg.DagsterInstance.get() as instance:
        done = (
            build_defs(resources)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={**QUIET, "ops": dict(ops)},
                partition_key=day,
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
