"""Sensors: a pure `decide()` in `sensors.rules` and a thin Dagster sensor each. No asset and no job is defined here."""

from __future__ import annotations

import dagster as dg


def all_sensors() -> list[dg.SensorDefinition]:
    """Every sensor of the platform. All are on from the start but `approved_version`."""
    from sensors.approval import approved_version
    from sensors.checks import check_failures
    from sensors.endpoint import endpoint_health
    from sensors.failures import run_failures
    from sensors.heartbeats import heartbeats
    from sensors.labels import new_labels
    from sensors.operations import operations_board
    from sensors.records import records_arrival
    from sensors.responses import responses
    from sensors.traffic import late_traffic

    return [
        records_arrival,
        new_labels,
        responses,
        run_failures,
        check_failures,
        endpoint_health,
        heartbeats,
        operations_board,
        late_traffic,
        approved_version,
    ]
