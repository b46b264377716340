"""A version is approved: `promote`. The rule is `sensors.rules.approval`.

Off by default, and the only one that is: what goes into production is a person's decision until somebody switches this
sensor on in the UI. It has no cursor: the registry is its memory.
"""

from __future__ import annotations

import dagster as dg

from matching_assets.jobs import promote
from matching_assets.tags import REASON_TAG, WHY_TAG
from resources.registry import Registry
from sensors import history
from sensors.rules.approval import decide


@dg.sensor(
    job=promote,
    default_status=dg.DefaultSensorStatus.STOPPED,
    minimum_interval_seconds=60,
    description="Deploys the newest approved version if it never was in production. Off until somebody turns it on.",
)
def approved_version(context: dg.SensorEvaluationContext, registry: Registry) -> dg.RunRequest | dg.SkipReason:
    """Read the registry and ask for a promotion of what is newly approved."""
    approved = [package.version for package in registry.list() if registry.objection(package) is None]
    decision = decide(approved, registry.promoted())
    if decision.version is None:
        return dg.SkipReason(decision.sentence)
    return dg.RunRequest(
        run_key=decision.run_key,
        tags={REASON_TAG: "approval", WHY_TAG: decision.sentence, **history.day_tag(context.instance)},
    )
