"""Checks on what is watched: one for each monitor, and decisions that labels contradict. None blocks a day."""

import dagster as dg
import polars as pl

from matching.findings import ALARM
from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.runbooks import explained

MOST_WRONG = 0.02
FEWEST_MATCHES = 50


def check_of(name: str, asset: str, guards: str, fails: str, remedy: str) -> dg.AssetChecksDefinition:
    """A monitor's check: no row of its table alarms. The first number is how far the worst one is."""

    @dg.asset_check(
        name=name,
        asset=asset,
        partitions_def=BUSINESS_DAYS,
        description=explained(name, f"Guards {guards} If it fails, {fails} {remedy}"),
    )
    def judged(found: pl.DataFrame) -> dg.AssetCheckResult:
        alarms = found.filter(pl.col("status") == ALARM)
        worst_three = ", ".join(f"{c} ({now})" for c, now in alarms.select("column", "current").head(3).iter_rows())
        saw = f"{alarms.height} of {found.height} signs alarm{': ' if worst_three else ''}{worst_three}."
        worst = found["effect"].drop_nulls().head(1)
        number = float(worst[0]) if len(worst) else None
        return verdict(alarms.is_empty(), saw, remedy, WARN, number=number, alarms=alarms.height, columns=found.height)

    return judged


integrity_holds = check_of(
    "integrity_holds",
    "integrity_report",
    "the day's data: it was delivered as other days were.",
    "the report says which column or file.",
    "Ask the feed's owner; a corrected file of the same name is taken in by itself.",
)
no_drift = check_of(
    "no_drift",
    "drift_report",
    "the certificate: it holds for records like those it was earned on.",
    "features have moved.",
    "Open the drift page: is it the feed, or the world? A shadow retraining starts by itself.",
)
predictions_steady = check_of(
    "predictions_steady",
    "prediction_report",
    "the decisions: probabilities, bands and similarities are as when they were measured.",
    "decisions are made otherwise.",
    "Open the drift page; is the reference current? `retrain` starts by itself.",
)
concept_steady = check_of(
    "concept_steady",
    "concept_report",
    "what probabilities mean: decisions turn out as they said.",
    "people find more errors than predicted.",
    "Read the overridden decisions beside their reasons; if the verdicts are right, `retrain`.",
)
precision_holds = check_of(
    "precision_holds",
    "performance_report",
    "the promise: automatic matches are as precise as the certificate says.",
    "they are not, as audited or as estimated.",
    "A broken certificate closes matching by itself. Read the wrong matches and their reasons.",
)


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
