"""The endpoint is looked after: what died is started again, a rollout that was left is taken on. See `rules.endpoint`.

It has no cursor: the ledger in the object store is its memory.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

import dagster as dg

from matching_assets.release import ENDPOINT
from resources.alarms import SLOS, Burn, Window, burning, total
from resources.alerts import Alerts
from resources.endpoint import Endpoint, EndpointStatus
from resources.registry import ModelPackage, Registry
from resources.store import MissingError
from sensors.reporting import tell_of_state
from sensors.rules.endpoint import ABOVE, Health, decide

LONGEST_SECONDS = 72 * 3600


def health_of(
    status: EndpointStatus, windows: Iterable[Window], now: float, champion: ModelPackage | None = None
) -> Health:
    """What the rule is told of an endpoint. Windows of all variants are added up: the promise is the endpoint's."""
    silent = [variant.name for variant in status.variants if variant.desired_weight and not variant.instances]
    moments: dict[float, list[Window]] = defaultdict(list)
    for window in windows:
        moments[window.at].append(window)
    together = [added for _, parts in sorted(moments.items()) if (added := total(parts))]
    burns: list[Burn] = [burn for slo in SLOS if (burn := burning(slo, together, now))]
    rejected = champion.version if champion is not None and champion.status == "Rejected" else None
    return Health(status.status, silent, status.reason, burns, rejected)


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Starts again what died of the endpoint, takes on a rollout that was left, alerts on what stays wrong.",
)
def endpoint_health(endpoint: Endpoint, alerts: Alerts, registry: Registry) -> dg.SkipReason:
    """Advance the endpoint once, and alert on what is wrong with it."""
    now = time.time()
    try:
        status = endpoint.advance(ENDPOINT)
    except MissingError:
        return dg.SkipReason("Nothing is deployed.")
    windows = endpoint.windows(ENDPOINT, now - LONGEST_SECONDS)
    troubles = decide(health_of(status, windows, now, registry.champion()))
    tell_of_state(alerts, (ABOVE,), troubles)
    return dg.SkipReason(f"{ENDPOINT} is {status.status}; {len(troubles)} causes are open.")
