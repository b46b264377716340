"""Measure the monitors: false alarms, what they see and how soon, and write it into docs/MONITORING.md.

    python -m benchmarks drift [--data DIR] [--scratch DIR] [--quick]

Everything is of real records with labels that nothing was learnt from. A *world* is a bundle and such records:

1. `quiet`. Half of the entities are the reference, the records of the others come in windows, drawn with replacement.
   Every alarm is a false one. That is harder than life: the two halves differ by chance, and no window knows it. People
   answer as the labels say: audits and reviews are drawn as the queue draws them.
2. `shifts`. In such a window one feature is moved by 0.3 of its standard deviation; each feature in turn.
3. `served`. A bundle is fitted on one style of feed and then served another.
4. `sequences`. The confidence sequence, on simulated audits: how often it ever misses the truth, and how soon it sees a
   precision that fell.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.store import ROOT
from benchmarks.tasks import TASKS, Task, read_task
from matching.concept import KINDS, check_concept
from matching.drift import MONITORS, calibrate, compare
from matching.drift_statistics import unit_of
from matching.files import write_json
from matching.findings import ALARM, Finding
from matching.integrity import check_integrity
from matching.judging import judge
from matching.performance import check_performance
from matching.scoring import Scorer
from matching.split import entity_keys, is_held_out
from matching.training import fit

SIZES = (500, 1000)
FEWEST = 100  # DRIFT_WINDOW of the platform
SHIFT = 0.3
APART = 1000  # seeds of splits; a task's own would put all of its held-out entities on one side
STYLES = {
    "issuer_us_edgar": ("source", "nasdaqtrader_security_name"),
    "xlist_global": ("line_type", "home_feed_name"),
}
"""The column that says which feed a record is of, and the one that is learnt."""


@dataclass(frozen=True)
class World:
    """Records that nothing was learnt from, as they were decided: telemetry, and outcomes as `concept.outcomes` has."""

    scorer: Scorer
    records: pl.DataFrame
    telemetry: pl.DataFrame
    outcomes: pl.DataFrame
    entity: pl.Series

    def some(self, kept: NDArray[np.bool_]) -> World:
        """The part of the rows that are kept."""
        rows = pl.Series(kept)
        parts = (frame.filter(rows) for frame in (self.records, self.telemetry, self.outcomes))
        return World(self.scorer, *parts, self.entity.filter(rows))  # type: ignore[misc]

    def halves(self, seed: int) -> tuple[World, World]:
        """The records of one half of the entities, and those of the other."""
        one = is_held_out(self.entity, 0.5, APART + seed)
        return self.some(one), self.some(~one)


def world_of(task: Task, scratch: Path, learnt: pl.DataFrame, asked: pl.DataFrame) -> World:
    """Fit on labels (once; the bundle is kept in `scratch`), and decide the records of others."""
    if not scratch.is_dir():
        fit(task.reference, task.records_of(learnt), learnt, bundle=scratch)
    scorer = Scorer.load(scratch)
    records = task.records_of(asked)
    scored = scorer.score(records, reasons=False)
    labels = asked.with_columns(entity=entity_keys(asked))
    judged = judge(scored.decisions, asked).select("record_id", "named_right", "has_match")
    known = scored.decisions.join(judged, on="record_id", maintain_order="left").join(
        labels.select("record_id", "entity"), on="record_id", maintain_order="left"
    )
    outcomes = known.select(
        "record_id",
        "probability",
        kind=pl.col("decision").replace_strict(KINDS),
        wrong=pl.when(pl.col("decision") == "no_match").then("has_match").otherwise(~pl.col("named_right")),
    )
    return World(scorer, records, scored.telemetry, outcomes, known["entity"])


def quiet(world: World, splits: int, windows: int) -> dict[str, Any]:
    """The share of quiet windows in which each monitor alarms, and any of them, by rows of the window."""
    alarms: dict[int, list[dict[str, bool]]] = {size: [] for size in SIZES}
    for split in range(splits):
        reference, traffic = world.halves(split)
        bounds = calibrate(reference.telemetry, FEWEST, split, reference.entity)
        generator = np.random.default_rng(split)
        for size in SIZES:
            for _ in range(windows):
                found = dict(watch(world, reference, traffic, bounds, size, generator))
                alarms[size].append({name: one.status == ALARM for name, one in found.items()})
    return {
        str(size): {"windows": len(seen)}
        | {name: float(np.mean([one[name] for one in seen])) for name in seen[0]}
        | {"any": float(np.mean([any(one.values()) for one in seen]))}
        for size, seen in alarms.items()
    }


def watch(
    world: World, reference: World, traffic: World, bounds: dict[str, Any], size: int, generator: np.random.Generator
) -> Iterator[tuple[str, Finding]]:
    """What each monitor says of a window of `size` records of `traffic`, after ten days like it."""
    drawn = generator.integers(0, traffic.telemetry.height, size)
    for monitor in MONITORS:
        yield monitor, compare(traffic.telemetry[drawn], reference.telemetry, bounds, monitor)
    days = as_landed(traffic.records, 11, generator)
    yield "integrity", check_integrity(days[0].drop("day"), 0, pl.concat(days[1:]), 0)
    yield "concept", check_concept(reviewed(traffic, size, generator), wrong_refusals(reference))
    yield "performance", audited(world, traffic, size, traffic.telemetry[drawn], generator).finding


def as_landed(records: pl.DataFrame, days: int, generator: np.random.Generator) -> list[pl.DataFrame]:
    """The records dealt out to days, each on one, as they land: all columns text, and `day`."""
    dealt = records[generator.permutation(records.height)].cast(pl.String)
    parts = [dealt.gather_every(days, offset) for offset in range(days)]
    return [part.with_columns(day=date(2026, 1, 5) + timedelta(days=number)) for number, part in enumerate(parts)]


def reviewed(traffic: World, size: int, generator: np.random.Generator) -> pl.DataFrame:
    """Four weeks of verdicts, as `matching.review` asks for them: 5 % of matches, 2 % of refusals, all in review."""
    month = traffic.outcomes[generator.integers(0, traffic.outcomes.height, 20 * size)]
    share = pl.col("kind").replace_strict({KINDS["match"]: 0.05, KINDS["no_match"]: 0.02}, default=1.0)
    return month.filter(pl.Series(generator.random(month.height)) < share)


def wrong_refusals(reference: World) -> tuple[int, int]:
    """Refusals of the reference's records that were wrong, and all."""
    refused = reference.outcomes.filter(kind=KINDS["no_match"])
    return int(refused["wrong"].sum()), refused.height


def audited(world: World, traffic: World, size: int, window: pl.DataFrame, generator: np.random.Generator) -> Any:
    """The performance monitor after 20 days of audits, and with the window's probabilities.

    The target is the certificate's, or what this traffic keeps where that is less: then an alarm would be a true one.
    """
    matches = traffic.outcomes.filter(kind=KINDS["match"])
    audits = matches[generator.integers(0, matches.height, size)]  # 5 % of 20 days
    certificate = world.scorer.policy.certificate
    matched = window.filter(decision="match")["probability"]
    kept = 1 - float(matches["wrong"].mean())  # type: ignore[arg-type]
    return check_performance(audits, matched, min(certificate.target_precision, kept), certificate.granted, 30)


def shifts(world: World, trials: int) -> dict[str, Any]:
    """How often a feature that moved by SHIFT standard deviations alarms in the first of two windows, and in either."""
    reference, traffic = world.halves(0)
    bounds = calibrate(reference.telemetry, FEWEST, 0, reference.entity)
    generator, found = np.random.default_rng(0), {}
    for size in (FEWEST, *SIZES):
        seen = []
        for column in features_of(reference.telemetry):
            step = SHIFT * unit_of(reference.telemetry[column].drop_nulls().cast(pl.Float64).to_numpy())
            for _ in range(trials):
                alarms = []
                for _ in range(2):
                    window = traffic.telemetry[generator.integers(0, traffic.telemetry.height, size)]
                    told = compare(window.with_columns(pl.col(column) + step), reference.telemetry, bounds, "drift")
                    alarms.append(told.columns.filter(column=column)["status"].item() == ALARM)
                seen.append(alarms)
        found[str(size)] = {
            "trials": len(seen),
            "first": float(np.mean([one[0] for one in seen])),
            "within_two": float(np.mean([any(one) for one in seen])),
        }
    return found


def features_of(telemetry: pl.DataFrame) -> list[str]:
    """The columns of the feature monitor that vary."""
    names = [c for c in telemetry.columns if c.startswith("f_") or c in ("unknown_token_share", "name_length")]
    return [c for c in names if (telemetry[c].std() or 0) > 0]  # type: ignore[operator]


def served(task: Task, scratch: Path, trials: int, size: int = SIZES[0]) -> dict[str, Any]:
    """A bundle of one style of feed, served each style: alarms by monitor, and what is named first."""
    column, style = STYLES[task.name]
    kinds = dict(task.records.select("record_id", column).iter_rows())
    # Without the column: a bundle that knows it would review all records of a kind that it has not learnt.
    unmarked = replace(task, records=task.records.drop(column))
    learnt = task.learnt.filter(pl.Series([kinds[one] == style for one in task.learnt["record_id"]]))
    world = world_of(unmarked, scratch, learnt, task.asked)
    kind = np.array([kinds[one] for one in world.records["record_id"]])
    reference = world.some(kind == style)
    bounds = calibrate(reference.telemetry, FEWEST, 0, reference.entity)
    found: dict[str, Any] = {"learnt": style, "served": {}}
    for other in sorted({*kind} - {style}):
        traffic = world.some(kind == other)
        if traffic.telemetry.height < FEWEST:
            continue
        generator, seen = np.random.default_rng(0), []
        for _ in range(trials):
            drawn = generator.integers(0, traffic.telemetry.height, size)
            seen.append({m: compare(traffic.telemetry[drawn], reference.telemetry, bounds, m) for m in MONITORS})
        matches = traffic.outcomes.filter(kind=KINDS["match"])
        found["served"][other] = {
            "records": traffic.telemetry.height,
            "alarms": {m: float(np.mean([one[m].status == ALARM for one in seen])) for m in MONITORS},
            "named": {m: seen[0][m].columns["column"].head(3).to_list() for m in MONITORS},
            "effect": {m: seen[0][m].number for m in MONITORS},
            "matched": matches.height / traffic.telemetry.height,
            "precision": None if matches.is_empty() else 1 - float(matches["wrong"].mean()),  # type: ignore[arg-type]
            "estimated": None if matches.is_empty() else float(matches["probability"].mean()),  # type: ignore[arg-type]
        }
    return found


def main(arguments: list[str]) -> int:
    """Measure, keep what was found as JSON, and write the page."""
    from benchmarks.drift_audits import estimates, sequences
    from benchmarks.drift_page import write_figures

    parser = argparse.ArgumentParser(prog="python -m benchmarks drift", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--scratch", type=Path, default=ROOT / ".benchmarks", help="results and bundles")
    parser.add_argument("--quick", action="store_true", help="few trials, to try the benchmark itself; no page")
    given = parser.parse_args(arguments)
    missing = [str(given.data / name) for name in TASKS if not (given.data / name).is_dir()]
    if missing:
        print(f"no data to measure on: {', '.join(missing)} is missing. Name its folder: --data DIR", file=sys.stderr)
        return 2
    few = given.quick
    found: dict[str, Any] = {"sequences": sequences(500 if few else 4000), "tasks": {}}
    for name in TASKS:
        started = time.perf_counter()
        task, folder = read_task(given.data / name), given.scratch / "drift"
        folder.mkdir(parents=True, exist_ok=True)
        world = world_of(task, folder / name, task.learnt, task.asked)
        found["tasks"][name] = {
            "records": world.telemetry.height,
            "quiet": quiet(world, 2 if few else 40, 2 if few else 5),
            "shifts": shifts(world, 1 if few else 5),
            "served": served(task, folder / f"{name}-one-style", 2 if few else 20),
            "estimates": estimates(world, 5 if few else 200),
        }
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    write_json(given.scratch / "drift" / "found.json", found)
    if few:
        print(json.dumps(found, indent=1))
    else:
        write_figures(found, ROOT / "docs" / "MONITORING.md")
    return 0
