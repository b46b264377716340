"""Checks on what serves and what it decides: the endpoint answers, reasons add up, the mix of decisions is as usual."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.folders import facts_in
from matching_assets.gates import judge_shadow
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.release import ask
from matching_assets.runbooks import explained
from resources.endpoint import Endpoint
from resources.store import ObjectStore

LARGEST_GAP = 1e-3
"""Log-odds: contributions are sums of 32-bit floats."""

MOST_WITHOUT = 0.05


@dg.asset_check(
    asset="deployed_endpoint",
    blocking=True,
    description=explained(
        "endpoint_smoke",
        "Guards that the endpoint answers, with the deployed version, and as the bundle decides in batch. "
        "If it fails, run `rollback`; the log of the endpoint's process says why.",
    ),
)
def endpoint_smoke(
    deployed_endpoint: Path, endpoint: dg.ResourceParam[Endpoint], store: dg.ResourceParam[ObjectStore]
) -> dg.AssetCheckResult:
    """One record of the golden set, by HTTP and in this process."""
    facts = facts_in(deployed_endpoint)
    answer = ask(store.get_folder(facts["bundle_digest"]), facts["bundle_version"], endpoint)
    remedy = "Run `rollback`; the log of the endpoint's process says why."
    return verdict(answer.passed, answer.sentence, remedy, latency_ms=1000 * answer.seconds)


@dg.asset_check(
    asset="shadow_comparison",
    blocking=True,
    description=explained(
        "shadow_agreement",
        "Guards that a version which is promoted decides much as the champion does: few records matched to "
        "another reference, no matches lost beyond chance, about as fast. If it fails, read the disagreements; who "
        "finds the challenger right promotes it by materialising deployed_endpoint alone.",
    ),
)
def shadow_agreement(shadow_comparison: Path) -> dg.AssetCheckResult:
    """The gates of a comparison; passed where there was nothing to compare with."""
    known = facts_in(shadow_comparison)
    if "comparison" not in known:
        return verdict(True, "There is no other champion to be compared with.", "")
    gates = judge_shadow(known["comparison"])
    remedy = "Read the disagreements of shadow_comparison: is the challenger right, or the champion?"
    numbers = {gate.gate: gate.value for gate in gates}
    return verdict(all(gate.passed for gate in gates), " ".join(gate.sentence for gate in gates), remedy, **numbers)


@dg.asset_check(
    asset="experiment_result",
    blocking=True,
    description=explained(
        "experiment_verdict",
        "Guards that a version which is tried in an A/B takes over only when labels have shown it to be "
        "better. If it fails, wait for more labels, or end the A/B with `matching ab stop`.",
    ),
)
def experiment_verdict(experiment_result: Path) -> dg.AssetCheckResult:
    """The verdict of the A/B; passed where none is under way."""
    known = facts_in(experiment_result)
    if known["experiment"] is None:
        return verdict(True, "No A/B is under way.", "")
    remedy = "Wait for more labels, or end the A/B with `matching ab stop`."
    return verdict(known["verdict"] == "better", known["sentence"], remedy)


@dg.asset_check(
    asset="decision_reasons",
    partitions_def=BUSINESS_DAYS,
    blocking=True,
    additional_ins={"match_decisions": dg.AssetIn()},
    description=explained(
        "explanation_closure",
        "Guards that explanations are exact: the reasons of a decision add up to its margin, less one base. "
        "If it fails, do not show the day's reasons; the explanation code and the ranker have come apart.",
    ),
)
def explanation_closure(decision_reasons: pl.DataFrame, match_decisions: pl.DataFrame) -> dg.AssetCheckResult:
    """The spread of margin less contributions over the day's decisions."""
    sums = decision_reasons.group_by("record_id").agg(pl.col("contribution").sum())
    told = match_decisions.drop_nulls("margin").join(sums, on="record_id", how="left")
    base = told.select(pl.col("margin") - pl.col("contribution")).to_series()
    gap = float(base.max() - base.min()) if base.len() else 0.0
    untold = base.null_count()
    saw = f"Reasons of {told.height} decisions close within {gap:.1e} log-odds; {untold} decisions have none."
    remedy = "Do not show the day's reasons; the explanation code and the ranker have come apart."
    return verdict(gap <= LARGEST_GAP and not untold, saw, remedy, gap=gap, untold=untold)


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "every_record_decided",
            asset="match_decisions",
            partitions_def=BUSINESS_DAYS,
            blocking=True,
            additional_deps=["clean_records"],
            description=explained(
                "every_record_decided",
                "Guards that every clean record of the day is decided, once. "
                "If it fails, the platform is at fault: do not use the day's decisions, and report it.",
            ),
        ),
        dg.AssetCheckSpec(
            "few_without_candidate",
            asset="match_decisions",
            partitions_def=BUSINESS_DAYS,
            description=explained(
                "few_without_candidate",
                "Guards the review desk: the share of records without any candidate, or whose name cannot be read. "
                "If it fails, did the feed change its names (scripts, truncation)? Look at the day's drift report.",
            ),
        ),
    ]
)
def decided_day(match_decisions: pl.DataFrame, clean_records: pl.DataFrame) -> Iterator[dg.AssetCheckResult]:
    """What became of the day's clean records, in one step."""
    yield every_record_decided(match_decisions, clean_records)._replace(check_name="every_record_decided")
    yield few_without_candidate(match_decisions)._replace(check_name="few_without_candidate")


def every_record_decided(match_decisions: pl.DataFrame, clean_records: pl.DataFrame) -> dg.AssetCheckResult:
    """Records in = decisions out."""
    undecided = clean_records.join(match_decisions, on="record_id", how="anti").height
    extra = match_decisions.height - match_decisions["record_id"].n_unique()
    saw = f"{match_decisions.height} decisions for {clean_records.height} records; {undecided} lack one, {extra} twice."
    remedy = "Do not use the day's decisions, and report it as a fault of the platform."
    return verdict(undecided == 0 and extra == 0, saw, remedy, undecided=undecided, extra=extra)


def few_without_candidate(match_decisions: pl.DataFrame) -> dg.AssetCheckResult:
    """Most records have a candidate."""
    share = match_decisions["reference_id"].null_count() / max(match_decisions.height, 1)
    saw = f"{share:.1%} of {match_decisions.height} records have no candidate at all."
    remedy = "Did the feed change its names? Look at the day's drift report."
    return verdict(share <= MOST_WITHOUT, saw, remedy, WARN, share=share)


CHECKS = [shadow_agreement, experiment_verdict, endpoint_smoke, explanation_closure, decided_day]
