"""Stage 9, monitoring: the page that on-call reads first, as it was on each day."""

import time

import dagster as dg

from matching_assets.folders import Folder
from matching_assets.operations.outlook import MONITORS, look
from matching_assets.operations.page import headline, page
from matching_assets.owners import ON_CALL
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.reporting import report
from resources.alerts import Alerts
from resources.board import Board
from resources.endpoint import Endpoint
from resources.registry import Registry


@dg.asset(
    group_name="monitoring",
    owners=[ON_CALL],
    kinds={"html"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    deps=["match_decisions", "endpoint_telemetry", "live_quality", *MONITORS],
    io_manager_key="folder_io_manager",
)
def operations_page(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    endpoint: dg.ResourceParam[Endpoint],
    alerts: dg.ResourceParam[Alerts],
    board: Board,
) -> dg.MaterializeResult[Folder]:
    """One page for a tired engineer: what is wrong, what serves, and the last 30 days; put up as operations.html."""
    days = [day for day in BUSINESS_DAYS.get_partition_keys() if day <= context.partition_key]
    beat = (board.last_beat() or {}).get("time")
    about = look(context.instance, registry, endpoint, alerts, days, time.time(), beat)
    html = page(about)
    word, sentence = headline(about)
    numbers = {"open_alerts": len(about.alerts), "errors": sum(a.severity == "ERROR" for a in about.alerts)}
    facts = {"state": word, "sentence": sentence, "page": dg.MetadataValue.path(str(board.put_page(html)))}
    return report(Folder(texts={"operations.html": html}), numbers=numbers, facts=facts)
