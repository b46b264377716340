"""What the rules found, told in the words of `resources.alerts`, which remembers what causes are open."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from matching_assets import runbooks
from matching_assets.owners import ON_CALL, REFERENCE_DATA
from resources.alerts import Alert, Alerts
from sensors.rules.troubles import Clear, Finding, Open, Trouble, decide

LANDING_RUNBOOK = runbooks.page("file-not-taken")


def tell_of_files(alerts: Alerts, folder: str, problems: Mapping[str, str]) -> None:
    """Alert on each file's problem, once while it lasts; clear those of files that are well or gone."""
    above = f"landing:{folder}:"
    for name, sentence in sorted(problems.items()):
        alerts.send(Alert(above + name, "WARN", REFERENCE_DATA, LANDING_RUNBOOK, len(problems), sentence))
    for alert in alerts.open_alerts():
        if alert.cause.startswith(above) and alert.cause.removeprefix(above) not in problems:
            alerts.clear(alert.cause)


def tell_of_a_missing_day(alerts: Alerts, sentence: str) -> None:
    """Alert on a day whose file has not come, once until one comes; clear it when `sentence` is empty."""
    cause = "landing:missing"
    if sentence:
        alerts.send(Alert(cause, "WARN", REFERENCE_DATA, runbooks.page("day-missing"), 1, sentence))
    else:
        alerts.clear(cause)


def tell_of_state(alerts: Alerts, above: tuple[str, ...], troubles: Iterable[Trouble]) -> None:
    """Alert on each, once while it lasts; clear what is open below `above` and not among them."""
    found = {trouble.cause: trouble for trouble in troubles}
    for t in found.values():
        alerts.send(Alert(t.cause, t.severity, ON_CALL, t.runbook, t.number, t.sentence))
    for alert in alerts.open_alerts():
        if alert.cause.startswith(above) and alert.cause not in found:
            alerts.clear(alert.cause)


def tell_of_troubles(
    alerts: Alerts, above: str, findings: Iterable[Finding], told: Mapping[str, Any]
) -> dict[str, Any]:
    """Alert on what was found below `above` (`run:` or `check:`), and clear what is well again.

    `told` is what the last call returned, from the cursor: of each open cause, when it was last alerted on and for what
    day. Where it was lost, now is taken for it.
    """
    opened = [alert.cause for alert in alerts.open_alerts() if alert.cause.startswith(above)]
    decision = decide(findings, {cause: Open(*told.get(cause, (time.time(),))) for cause in opened})
    for action in decision.actions:
        if isinstance(action, Clear):
            alerts.clear(action.cause)
            continue
        found = action.finding
        severity = found.severity or "WARN"
        number = action.count if found.number is None else found.number
        alert = Alert(found.cause, severity, found.owner, found.runbook, number, found.sentence)
        alerts.send(alert, again=action.again)
    return {cause: [known.told_at, known.day] for cause, known in decision.open.items()}
