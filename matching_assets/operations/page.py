"""The operations page as one HTML file: no script, nothing from elsewhere, light and dark as the reader's machine is.

What is wrong stands first, as a sentence; then what serves; then the last 30 business days. Colour never says anything
alone: each state has a word or a mark too. The same outlook gives the same bytes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from matching.intervals import at_least
from matching_assets import runbooks
from matching_assets.closing import why_closed
from matching_assets.operations.outlook import MONITORS, ROWS, Outlook
from matching_assets.operations.trends import trend
from resources.alerts import Alert

TEMPLATE = "page.html"
MARKS = {"OK": "●", "ALARM": "▲", "UNKNOWN": "?"}
NAMES = dict(
    zip(MONITORS, ("integrity", "feature drift", "predictions, retrieval", "concept", "precision"), strict=True)
)
LEAST_SHOWN = 0.95
"""Of precision: an interval that reaches below it is cut there, or its first days would press all others flat."""
BURNS_FAST, LATE_BEAT_SECONDS = 1.0, 300.0


def page(about: Outlook) -> str:
    """The page."""
    return str(_template().render(about=about, **facts(about)))


def headline(about: Outlook) -> tuple[str, str]:
    """A word (`bad`, `warn`, `good`) and the sentence that on-call reads first."""
    urgent = [alert for alert in about.alerts if is_urgent(alert)]
    closed = why_closed(about.champion) if about.champion else None
    late = about.beat is None or about.now.timestamp() - about.beat > LATE_BEAT_SECONDS
    if urgent:
        return "bad", f"{len(urgent)} of {len(about.alerts)} open alerts cannot wait: begin with the first."
    if closed is not None:
        return "bad", "Automatic matching is closed: everything goes to review."
    if about.alerts:
        alerts = "1 alert is" if len(about.alerts) == 1 else f"{len(about.alerts)} alerts are"
        return "warn", f"{alerts} open and can wait for the day: nothing has to be done tonight."
    if about.champion is None:
        return "warn", "Nothing is deployed yet."
    if late:
        return "warn", "No alert is open, but the daemon that would raise one is silent. Ask matching health."
    return "good", "All is well: no alert is open."


def is_urgent(alert: Alert) -> bool:
    """Whether somebody has to get up for it."""
    return alert.severity == "ERROR" and alert.runbook in runbooks.TONIGHT


def facts(about: Outlook) -> dict[str, Any]:
    """What the template is told, in the words and numbers that it shows."""
    word, sentence = headline(about)
    decided, precision = about.newest("match_decisions"), about.newest("performance_report")
    return {
        "word": word,
        "sentence": sentence,
        "link": _link,
        "alerts": sorted(about.alerts, key=lambda alert: (not is_urgent(alert), alert.severity, alert.cause)),
        "tonight": {alert.runbook for alert in about.alerts if is_urgent(alert)},
        "decided_day": decided[0] if decided else None,
        "decided": decided[1] if decided else {},
        "rows": ROWS,
        "precision": precision[1] if precision else {},
        "target": _target(about),
        "at_least": at_least,
        "closed": why_closed(about.champion) if about.champion else None,
        "monitors": [_monitor(about, asset) for asset in MONITORS],
        "marks": MARKS,
        "plots": _plots(about),
        "worst": max((hour for hour, _ in about.traffic.burns.values() if hour is not None), default=None),
        "burns_fast": BURNS_FAST,
        "beat_minutes": None if about.beat is None else max(0.0, about.now.timestamp() - about.beat) / 60,
    }


def _monitor(about: Outlook, asset: str) -> dict[str, Any]:
    known, newest = about.assets.get(asset, {}), about.newest(asset)
    return {
        "name": NAMES[asset],
        "states": [(day, known.get(day, {}).get("status", "")) for day in about.days],
        "day": newest[0] if newest else "",
        "status": newest[1].get("status", "") if newest else "",
        "sentence": newest[1].get("sentence", "") if newest else "It has not looked yet.",
    }


def _plots(about: Outlook) -> list[str]:
    days = about.days
    if not days:
        return []
    bands = {band: about.series("match_decisions", f"{band}_share") for band in ("match", "review", "no_match")}
    audit = [about.series("performance_report", f"audit_precision{end}") for end in ("", "_low", "_high")]
    waits = {name: about.series("endpoint_telemetry", f"latency_ms_{name}") for name in ("p50", "p99")}
    named = {"match": bands["match"], "review": bands["review"], "no match": bands["no_match"]}
    asked = {"batch": about.series("raw_records", ROWS), "endpoint": about.series("endpoint_telemetry", ROWS)}
    refused = {"quarantined": about.series("quarantined_records", "quarantined_share")}
    precise: dict[str, list[float | None]] = {
        "audited": audit[0],
        "estimated": about.series("performance_report", "estimated_precision"),
    }
    return [
        trend("Records a day", days, asked),
        trend("Bands", days, named, ".0%", floor=0.0),
        trend("Precision of matches", days, precise, ".1%", _target(about), (audit[1], audit[2]), None, LEAST_SHOWN),
        trend("Quarantined", days, refused, ".1%"),
        trend("Endpoint latency, ms", days, waits, ".1f"),
        trend("Degraded at the endpoint", days, {"share": about.series("endpoint_telemetry", "degraded_share")}, ".1%"),
    ]


def _target(about: Outlook) -> float | None:
    found = about.champion.certificate.get("target_precision") if about.champion else None
    return float(found) if found is not None else None


def _link(path: str) -> tuple[str, str]:
    """A runbook's address (empty: there is none) and what to call it."""
    shown = runbooks.link(path)
    return (shown.partition("](")[2].rstrip(")"), path) if shown.startswith("[") else ("", path)


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    loader = FileSystemLoader(Path(__file__).parent)
    found = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)
    return found.get_template(TEMPLATE)
