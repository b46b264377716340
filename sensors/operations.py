"""The operations page is put up anew every five minutes, so that it is true at three in the morning too.

`operations_page` keeps it as it was on each day, but a day that fails has no such asset, and that is when it is read.
"""

from __future__ import annotations

import time

import dagster as dg

from matching_assets.operations.outlook import look
from matching_assets.operations.page import headline, page
from matching_assets.partitions import BUSINESS_DAYS
from resources.alerts import Alerts
from resources.board import Board
from resources.endpoint import Endpoint
from resources.registry import Registry


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=300,
    description="Puts the operations page up anew: operations.html in the state folder.",
)
def operations_board(
    context: dg.SensorEvaluationContext, registry: Registry, endpoint: Endpoint, alerts: Alerts, board: Board
) -> dg.SkipReason:
    """Gather and write. Nothing is started."""
    beat = (board.last_beat() or {}).get("time")
    days = BUSINESS_DAYS.get_partition_keys()
    about = look(context.instance, registry, endpoint, alerts, days, time.time(), beat)
    board.put_page(page(about))
    return dg.SkipReason(headline(about)[1])
