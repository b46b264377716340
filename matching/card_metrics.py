"""The figures of an evaluation as metrics of a model card: a number or a short text, with notes on how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

SLICES_SHOWN = 20  # of one column, the worst ones
LONGEST_NAME, LONGEST_NOTE = 255, 1024  # characters that SageMaker's schema allows


def cut(value: object, limit: int) -> str:
    """The text of a value, cut to `limit` characters; the cut is shown."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def metric(name: str, value: float | None, notes: str = "", none: str = "nothing to count") -> dict[str, Any]:
    """A number, or the text `none` where there is no number."""
    given = {"type": "string", "value": none} if value is None else {"type": "number", "value": round(float(value), 6)}
    return {"name": cut(name, LONGEST_NAME)} | given | ({"notes": cut(notes, LONGEST_NOTE)} if notes else {})


def performance(e: Mapping[str, Any], baseline: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """The figures over all records, with counts and intervals, and those of the baseline."""
    sure = {name: f"95 % by entity: {_interval(pair)}" for name, pair in e["intervals"].items() if pair}
    match = e["bands"]["match"]
    wrong = f"{match['errors']:,} wrong of {match['records']:,}; 95 % exact: {_interval(e['precision_ci95'])}"
    accepted = f"{e['false_accepts']:,} of {e['no_match_records']:,} records"
    return [
        metric("precision of matches", e["precision"], "; ".join([wrong, *filter(None, [sure.get("precision")])])),
        metric("coverage", e["coverage"], sure.get("coverage", "")),
        metric("recall@1", e["recall@1"], sure.get("recall@1", "")),
        metric("recall@10", e["recall@10"]),
        metric("recall@50", e["recall@50"]),
        metric("best F1", e["best_f1"]),
        metric("expected calibration error", e["ece"]),
        metric("Brier score", e["brier"]),
        metric("false accepts among records without a match", e["false_accept_share"], accepted),
        metric("refused among records with a match", e["refused_share"]),
        *(metric(f"character TF-IDF {name}", value, "baseline") for name, value in baseline.items()),
    ]


def _interval(pair: Iterable[float]) -> str:
    return " to ".join(f"{x:.4f}" for x in pair)


def counts(f: Mapping[str, Any]) -> str:
    """The records of a band in words."""
    if not f["records"]:
        return "none"
    return f"{f['records']:,}, {f['errors']:,} of them wrong, 95 % {_interval(f['precision_ci95'])}"


def slice_figures(values: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The precision of matches in each slice, the worst first; then those where it says nothing."""
    worst_first = []
    for value, f in values.items():
        precision, recall = f["precision"], f["recall@1"]
        said = "none has a match" if recall is None else "none matched"
        notes = f"{f['records']:,} records" + ("" if recall is None else f", recall@1 {recall:.4f}")
        counted = None if recall is None else precision
        shown = metric(value, counted, f"{notes}; matched: {counts(f['bands']['match'])}", said)
        worst_first.append((math.inf if counted is None else counted, value, shown))
    return [shown for _, _, shown in sorted(worst_first, key=lambda row: row[:2])][:SLICES_SHOWN]


def curves(e: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metric group of reliability and of precision against coverage; no group without points."""

    def curve(name: str, points: list[list[float]], x: str, y: str) -> dict[str, Any]:
        value = [[round(a, 6), round(b, 6)] for a, b in points]
        return {"name": name, "type": "linear_graph", "value": value, "x_axis_name": x, "y_axis_name": y}

    graphs = [
        curve("reliability", [p[:2] for p in e["reliability"]], "probability", "share right"),
        curve("precision against coverage", e["risk_coverage"], "coverage", "precision"),
    ]
    return [{"name": "Curves", "metric_data": drawn}] if (drawn := [g for g in graphs if g["value"]]) else []
