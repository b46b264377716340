"""Decisions, metrics and certificates as a person reads them on a terminal. Numbers come in, lines go out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matching.reasons import title_of

if TYPE_CHECKING:
    from matching_assets.demo import DemoResult, Example

WIDTH = 100
BANDS = ("match", "review", "no_match")


def told_decision(decision: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """One row of decisions with its reasons in words. `names`: reference_id to name, for those that it mentions.

    The contributions are in log-odds; their sum is what sets this pair apart from an average one.
    """
    best = decision["reference_id"]
    lines = [f"{decision['decision']}  {_reference(best, names)}, probability {decision['probability']:.3f}"]
    reasons = decision["reasons"]
    width = max((len(title_of(reason["code"])) for reason in reasons), default=0)
    for reason in reasons:
        weight = f"{reason['contribution']:+7.2f}" if reason["contribution"] else " " * 7
        lines.append(f"  {weight}  {title_of(reason['code']):<{width}}  {reason['evidence']}".rstrip())
    if any(reason["contribution"] for reason in reasons):
        lines.append(f"  {sum(reason['contribution'] for reason in reasons):+7.2f}  in all")
    runner_up = decision["runner_up_id"]
    if runner_up is not None:
        lines.append(f"  runner-up {_reference(runner_up, names)}, probability {decision['runner_up_probability']:.3f}")
        lines += [f"  {d['difference']:+7.2f}  {title_of(d['code'])}" for d in decision["contrast"]]
    return "\n".join(lines)


def told_metrics(metrics: Mapping[str, Any]) -> str:
    """What `matching.evaluation.evaluate` found, in a few lines."""
    recalls = "  ".join(f"@{k} {share(metrics[f'recall@{k}'])}" for k in (1, 10, 50))
    matched = share(metrics["coverage"])
    if metrics["precision"] is not None:
        low, high = metrics["precision_ci95"]
        matched += f", right: {share(metrics['precision'])} [95 %: {share(low)} to {share(high)}]"
    wrong = f"{metrics['false_accepts']:,} ({share(metrics['false_accept_share'])})"
    records, without, entities = (f"{metrics[key]:,}" for key in ("records", "no_match_records", "entities"))
    lines = [
        f"{records} records of {entities} entities, {without} without a match",
        f"  right candidate within      {recalls}",
        f"  matched automatically       {matched}",
        f"  matched, but had no match   {wrong}",
        f"  calibration error           {metrics['ece']:.4f}, Brier score {metrics['brier']:.4f}",
    ]
    return "\n".join(lines + [f"  {line}" for line in _bands(metrics["bands"])])


def told_demo(result: DemoResult) -> str:
    """What came out of the demo, in sections."""
    floor = f"  plain character TF-IDF      @1 {share(result.baseline['top1'])}"
    answered = {key: result.answer[key] for key in ("decision", "reference_id", "probability")}
    sections = {
        "Held-out entities": [told_metrics(result.metrics), floor, told_certificate(result.certificate)],
        "Decisions, with reasons in log-odds": [_example(example) for example in result.examples],
        "The endpoint": [
            f"{result.endpoint}/invocations answered in {result.latency_ms:.1f} ms",
            f"  asked     {json.dumps(result.asked, ensure_ascii=False)}",
            f"  answered  {json.dumps(answered)}",
        ],
        "The model card": [str(result.card)],
    }
    return "\n\n".join("\n".join([title, "-" * len(title), *parts]) for title, parts in sections.items())


def _example(example: Example) -> str:
    told = told_decision(example.decision, example.reference_names)
    return f"{example.name}  ({example.why})\n{textwrap.indent(told, '  ')}"


def told_certificate(statement: str) -> str:
    """The statement of a certificate, wrapped."""
    return textwrap.fill(statement, WIDTH, initial_indent="Certificate: ", subsequent_indent="  ")


def share(value: float | None) -> str:
    """A share as a percentage, `-` where nothing is counted."""
    return "-" if value is None else f"{value:.1%}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _bands(bands: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [("band", "records", "share", "right")]
    rows += [(b, f"{bands[b]['records']:,}", share(bands[b]["share"]), share(bands[b]["precision"])) for b in BANDS]
    return table(rows)


def _reference(reference_id: str | None, names: Mapping[str, str]) -> str:
    if reference_id is None:
        return "no candidate"
    return f"{reference_id} {names[reference_id]}" if reference_id in names else reference_id
