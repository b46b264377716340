"""Checks on candidates, pair features and the policy: what a version is trained on and decides by."""

from pathlib import Path

import dagster as dg
import polars as pl

from matching.features import FEATURE_NAMES
from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.folders import facts_in
from matching_assets.gates import LEAST_RECALL
from matching_assets.runbooks import explained


@dg.asset_check(
    asset="candidate_pairs",
    blocking=True,
    additional_ins={"labels": dg.AssetIn()},
    description=explained(
        "candidate_recall",
        "Guards that the right reference is among the candidates: what retrieval misses, nothing else finds. "
        "If it fails, look for new labels whose names share no word with the reference, or another reference.",
    ),
)
def candidate_recall(candidate_pairs: pl.DataFrame, labels: pl.DataFrame) -> dg.AssetCheckResult:
    """Recall over labelled records that have a match."""
    right = labels.filter(pl.col("reference_id").is_not_null()).select("record_id", "reference_id")
    found = candidate_pairs.join(right, on=["record_id", "reference_id"], how="semi")
    recall = found["record_id"].n_unique() / max(right.height, 1)
    first = found.filter(pl.col("rank") == 1).height / max(right.height, 1)
    saw = f"{recall:.2%} of {right.height} right references are candidates; {LEAST_RECALL:.0%} is asked for."
    remedy = "Do the newest labels belong to this reference? Are their names renames that share no word with it?"
    return verdict(recall >= LEAST_RECALL, saw, remedy, recall=recall, first=first)


@dg.asset_check(
    asset="pair_features",
    blocking=True,
    description=explained(
        "features_finite",
        "Guards what the ranker learns from: features are finite numbers, and right and wrong pairs are there. "
        "If it fails, a feature is at fault: the result names it; do not train on it.",
    ),
)
def features_finite(pair_features: pl.DataFrame) -> dg.AssetCheckResult:
    """No feature is missing or infinite."""
    columns = pair_features.select(pl.col(FEATURE_NAMES).is_finite().fill_null(False).all())
    broken = [name for name, fine in zip(FEATURE_NAMES, columns.row(0), strict=True) if not fine]
    right = int(pair_features["right"].sum())
    saw = f"{len(broken)} of {len(FEATURE_NAMES)} features have values that are not finite; {right} pairs are right."
    remedy = f"Mend {', '.join(broken) or 'the labels: no candidate is right, or all are'}; do not train on it."
    return verdict(not broken and 0 < right < pair_features.height, saw, remedy, broken=len(broken), right_pairs=right)


@dg.asset_check(
    asset="decision_policy",
    description=explained(
        "certificate_present",
        "Guards that a certificate was granted; without one nothing is matched automatically. "
        "If it fails, the sentence says how many labelled entities are missing, or how many errors there were.",
    ),
)
def certificate_present(decision_policy: Path) -> dg.AssetCheckResult:
    """The certificate of the policy."""
    certificate = facts_in(decision_policy)["policy"]["certificate"]
    remedy = "Label more entities, or review the errors among the most probable matches; then retrain."
    numbers = {
        "p_value": certificate["p_value"],
        "entities": certificate["entities"],
        "accepted": certificate["accepted"],
        "errors": certificate["errors"],
    }
    return verdict(certificate["granted"], certificate["statement"], remedy, WARN, **numbers)


CHECKS = [candidate_recall, features_finite, certificate_present]
