"""Watches the other sensors, tells webhooks what they have not taken, and says itself that it lives.

The rule is `sensors.rules.heartbeats`. What it cannot see is that the daemon is dead, and it with it. For that it
leaves a heartbeat on the board, and `matching health` (or any monitor that looks at the age of a file) says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import dagster as dg

from resources.alerts import Alerts
from resources.board import Board
from sensors import cursor
from sensors.reporting import tell_of_state
from sensors.rules.heartbeats import ABOVE, Beat, awake_since, decide, undelivered

TICKS = 20
NAME = "heartbeats"
WATCHED = (ABOVE, "webhooks:")
GOOD = ("SKIPPED", "SUCCESS")


def beats_of(instance: dg.DagsterInstance, sensors: Iterable[dg.SensorDefinition]) -> list[Beat]:
    """The beat of each of `sensors`, from the instance's tick history. One that is off from the start has none."""
    states = {s.instigator_name: s for s in instance.all_instigator_state() if s.instigator_type.value == "SENSOR"}
    found = []
    for sensor in sensors:
        interval, state = float(sensor.minimum_interval_seconds or 30), states.get(sensor.name)
        wanted = sensor.default_status == dg.DefaultSensorStatus.RUNNING
        if state is None:
            found += [Beat(sensor.name, interval, on=True)] if wanted else []
            continue
        on = state.status.value != "STOPPED"
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=TICKS)
        last = max((tick.timestamp for tick in ticks), default=None)
        good = max((tick.timestamp for tick in ticks if tick.status.value in GOOD), default=None)
        found += [Beat(sensor.name, interval, on, last, good)] if on or wanted else []
    return found


@dg.sensor(
    name=NAME,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Alerts on a sensor that is dead or switched off, and says that it lives itself: `matching health`.",
)
def heartbeats(context: dg.SensorEvaluationContext, alerts: Alerts, board: Board) -> dg.SensorResult:
    """Look at the ticks of the other sensors, and leave a heartbeat."""
    from sensors import all_sensors

    now, state = time.time(), cursor.load(context.cursor)
    since = awake_since(tuple(state["awake"]) if "awake" in state else None, now)
    beats = beats_of(context.instance, [sensor for sensor in all_sensors() if sensor.name != NAME])
    waiting = alerts.deliver()
    troubles = [*decide(beats, since, now), *undelivered(waiting.messages, waiting.oldest, now)]
    tell_of_state(alerts, WATCHED, troubles)
    board.beat(
        now,
        {
            "sensors": {beat.sensor: beat.last_good for beat in beats},
            "troubles": [trouble.sentence for trouble in troubles],
            "open_alerts": len(alerts.open_alerts()),
        },
    )
    said = f"{len(beats)} sensors are watched; {len(troubles)} troubles."
    return dg.SensorResult(skip_reason=said, cursor=cursor.dump({"awake": [since, now]}))
