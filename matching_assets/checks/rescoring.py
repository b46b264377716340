"""The check on days that are scored again: the bundle that decided them decides them so again."""

import dagster as dg
import polars as pl

from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.runbooks import explained


@dg.asset_check(
    asset="decision_diff",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "decisions_reproduced",
        "Guards that decisions can be reproduced: the same bundle decides the same records alike, whenever it is "
        "asked. If it fails, was the day's file corrected and not matched again? If not, the platform is at fault.",
    ),
)
def decisions_reproduced(decision_diff: pl.DataFrame) -> dg.AssetCheckResult:
    """No difference between a bundle and itself."""
    same = decision_diff.filter(pl.col("bundle_version_was") == pl.col("bundle_version_now")).height
    saw = f"{same} decisions of one bundle are otherwise when it is asked again."
    remedy = "Was the day's file corrected, and not matched again? If not, report it: the platform is at fault."
    return verdict(same == 0, saw, remedy, WARN, otherwise=same)


CHECKS = [decisions_reproduced]
