"""Checks on what is watched: one for each monitor, and decisions that labels contradict. None blocks a day."""

import dagster as dg
import polars as pl

from matching.findings import ALARM
from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.runbooks import explained

MOST_WRONG = 0.02
FEWEST_MATCHES = 50
REMEDIES = {
    "integrity_report": "Ask the feed's owner; a corrected file of the same name is taken in by itself.",
    "drift_report": "Open the drift page: is it the feed, or the world? A shadow retraining starts by itself.",
    "prediction_report": "Open the drift page; is the reference current? `retrain` starts by itself.",
    "concept_report": "Read the overridden decisions beside their reasons; if the verdicts are right, `retrain`.",
    "performance_report": "A broken certificate closes matching by itself. Read the wrong matches and their reasons.",
}


def judged(asset: str, found: pl.DataFrame) -> dg.AssetCheckResult:
    """A monitor's check: no row of its table alarms. The first number is how far the worst one is."""
    alarms = found.filter(pl.col("status") == ALARM)
    worst_three = ", ".join(f"{c} ({now})" for c, now in alarms.select("column", "current").head(3).iter_rows())
    saw = f"{alarms.height} of {found.height} signs alarm{': ' if worst_three else ''}{worst_three}."
    worst = found["effect"].drop_nulls().head(1)
    number = float(worst[0]) if len(worst) else None
    return verdict(
        alarms.is_empty(), saw, REMEDIES[asset], WARN, number=number, alarms=alarms.height, columns=found.height
    )


@dg.asset_check(
    asset="integrity_report",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "integrity_holds",
        "Guards the day's data: it was delivered as other days were. "
        f"If it fails, the report says which column or file. {REMEDIES['integrity_report']}",
    ),
)
def integrity_holds(integrity_report: pl.DataFrame) -> dg.AssetCheckResult:
    """Nothing about the delivery alarms."""
    return judged("integrity_report", integrity_report)


@dg.asset_check(
    asset="drift_report",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "no_drift",
        "Guards the certificate: it holds for records like those it was earned on. "
        f"If it fails, features have moved. {REMEDIES['drift_report']}",
    ),
)
def no_drift(drift_report: pl.DataFrame) -> dg.AssetCheckResult:
    """No feature alarms."""
    return judged("drift_report", drift_report)


@dg.asset_check(
    asset="prediction_report",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "predictions_steady",
        "Guards the decisions: probabilities, bands and similarities are as when they were measured. "
        f"If it fails, decisions are made otherwise. {REMEDIES['prediction_report']}",
    ),
)
def predictions_steady(prediction_report: pl.DataFrame) -> dg.AssetCheckResult:
    """No prediction and no similarity alarms."""
    return judged("prediction_report", prediction_report)


@dg.asset_check(
    asset="concept_report",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "concept_steady",
        "Guards what probabilities mean: decisions turn out as they said. "
        f"If it fails, people find more errors than predicted. {REMEDIES['concept_report']}",
    ),
)
def concept_steady(concept_report: pl.DataFrame) -> dg.AssetCheckResult:
    """No kind of decision turns out worse than predicted."""
    return judged("concept_report", concept_report)


@dg.asset_check(
    asset="performance_report",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "precision_holds",
        "Guards the promise: automatic matches are as precise as the certificate says. "
        f"If it fails, they are not, as audited or as estimated. {REMEDIES['performance_report']}",
    ),
)
def precision_holds(performance_report: pl.DataFrame) -> dg.AssetCheckResult:
    """Neither the audit nor the estimate speaks against the target."""
    return judged("performance_report", performance_report)


@dg.asset_check(
    asset="live_quality",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "matches_turn_out_right",
        "Guards that automatic matches turn out right, as far as people have labelled them by now. "
        "If it fails, read the wrong matches beside their reasons; if the labels are right, retrain, or roll back.",
    ),
)
def matches_turn_out_right(live_quality: pl.DataFrame) -> dg.AssetCheckResult:
    """Wrong automatic matches among the labelled ones of the day."""
    matches = live_quality.filter(pl.col("band") == "match")
    made, wrong = int(matches["records"].sum()), int(matches["errors"].sum())
    saw = f"{wrong} of {made} labelled matches are wrong."
    passed = made < FEWEST_MATCHES or wrong / made <= MOST_WRONG
    return verdict(
        passed,
        saw,
        "Read them beside their reasons; if the labels are right, retrain, or roll back.",
        WARN,
        wrong=wrong,
    )


CHECKS = [
    integrity_holds,
    no_drift,
    predictions_steady,
    concept_steady,
    precision_holds,
    matches_turn_out_right,
]
