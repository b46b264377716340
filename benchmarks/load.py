"""Load on a serving process at a fixed rate, and what happens in the middle of it: a swap, a rollback, a kill.

    python -m benchmarks load [--references 40000 100000] [--rate 200 500] [--seconds 20] [--workers 2]
                              [--scenario steady swap kill-worker kill-parent]

Client and server are on one machine and share its processors with whatever else runs: `idle_percent_before` says how
much of them was free. The bundles are those of the scale part (`python -m benchmarks scale`). Every answer is compared
with what the bundle that made it decides in this process: `wrong` counts decisions that differ (a degraded one may only
be a review; `wrong_answers` has the first), `duplicate_ids` ids that stand for two questions. `sent_again` counts
requests that were tried more than once, `refused_by_status` what those tries were told (or how the connection broke),
and `load_average` is of before, with what others did on the machine. `in_process_p50_ms` is measured right before, with
a worker's pauses: one record after the other is faster, because nothing leaves the caches. What is found
goes to `results/load.json` in the scratch folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from benchmarks.load_client import Answer, Load
from benchmarks.store import ROOT, commit, machine
from matching.bundle import read_manifest
from matching.files import write_json
from matching.runtime_control import rollback, status, swap
from matching.scoring import Scorer

SCENARIOS = ("steady", "swap", "kill-worker", "kill-parent")
DISTINCT = 2_000  # records that are asked about, again and again
WARM_SECONDS = 3
IN_PROCESS = 200  # decisions
Expected = dict[str, dict[str, tuple[str, str | None]]]


@dataclass(frozen=True)
class Server:
    """A serving process and its control folder."""

    port: int
    control: Path

    def happen(self, scenario: str, other: Path) -> None:
        """What happens in the middle of a scenario. A swap is rolled back at once when it is done."""
        parent = self.parent()
        if scenario == "swap":
            swap(self.control, other)
            rollback(self.control)
        elif scenario == "kill-worker":
            parent.children()[0].kill()
        elif scenario == "kill-parent":
            parent.kill()

    def parent(self) -> psutil.Process:
        """The process that forks the workers; after a kill, once it is replaced."""
        end = time.monotonic() + 120
        while not psutil.pid_exists(pid := status(self.control)["serving"]["pid"]):
            if time.monotonic() > end:
                raise RuntimeError("what was killed is not replaced")
            time.sleep(0.1)
        return psutil.Process(pid)

    def cpu_seconds(self) -> float:
        """Processor time of the workers so far."""
        workers = self.parent().children()
        return sum(sum(one.cpu_times()[:2]) for one in workers)

    def memory_mib(self) -> dict[str, float]:
        """Proportional memory of all processes, and what the cheapest worker has for itself."""
        parent = self.parent()
        there = [parent, *parent.children()]
        own = min(one.memory_full_info().uss for one in there[1:]) / 2**20
        return {"all": round(sum(one.memory_full_info().pss for one in there) / 2**20), "worker": round(own)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every scenario at every rate and number of references."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--references", type=int, nargs="+", default=[40_000, 100_000])
    parser.add_argument("--rate", type=float, nargs="+", default=[200, 500])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--scratch", type=Path, default=ROOT / ".benchmarks")
    given = parser.parse_args(arguments)
    file = given.scratch / "results" / "load.json"
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    for references in given.references:
        folder = given.scratch / "scale" / str(references)
        if not (folder / "reindexed").is_dir():
            print(f"{folder} is missing: python -m benchmarks scale", file=sys.stderr)
            return 2
        bundles = [folder / "reindexed", renamed(folder / "reindexed", given.scratch / "load" / str(references))]
        records = pl.read_parquet(folder / "records.parquet").head(DISTINCT)
        expected, scorer = expectations(bundles, records)
        with serving(bundles[0], given.workers, given.scratch / "load") as server:
            for rate in given.rate:
                for scenario in given.scenario:
                    about = {
                        "references": references, "rate": rate, "scenario": scenario, "workers": given.workers,
                        "in_process_p50_ms": in_process(scorer, records, rate / given.workers),
                    }  # fmt: skip
                    runs.append(about | measure(server, records, expected, rate, given.seconds, scenario, bundles[1]))
                    print(json.dumps(runs[-1]), flush=True)
                    write_json(file, {"machine": machine(), "commit": commit(), "runs": runs})
    return 0


def renamed(bundle: Path, to: Path) -> Path:
    """The same bundle under another version: its files linked, a note in its manifest."""
    to.mkdir(parents=True, exist_ok=True)
    for path in bundle.rglob("*"):
        link = to / path.relative_to(bundle)
        link.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.name != "manifest.json":
            link.unlink(missing_ok=True)
            link.hardlink_to(path)
    content = json.loads((bundle / "manifest.json").read_text())
    content["facts"]["note"] = "load"
    write_json(to / "manifest.json", content)
    return to


def expectations(bundles: Sequence[Path], records: pl.DataFrame) -> tuple[Expected, Scorer]:
    """What is decided in this process, by version and record; and who decided it."""
    scorer = Scorer.load(bundles[0])
    decided = scorer.score(records, reasons=False).decisions.select("record_id", "decision", "reference_id")
    answers = {record: (decision, reference) for record, decision, reference in decided.iter_rows()}
    # The bundles differ by name only.
    return {read_manifest(bundle).version: answers for bundle in bundles}, scorer


def in_process(scorer: Scorer, records: pl.DataFrame, rate: float) -> float:
    """The median of deciding one record in this process, ms, with the pauses that a worker has too at this rate."""
    took = []
    due = time.perf_counter()
    for n in range(IN_PROCESS):
        due += 1 / rate
        time.sleep(max(due - time.perf_counter(), 0))
        started = time.perf_counter()
        scorer.score(records[n : n + 1])
        took.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(took), 2)


@contextmanager
def serving(bundle: Path, workers: int, scratch: Path) -> Iterator[Server]:
    """A serving process of its own, with telemetry as a deployed one has it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    control = scratch / "control"
    given = ["--bundle", bundle, "--port", port, "--workers", workers, "--control", control]
    spool = {"MATCHING_TELEMETRY_DIR": str(scratch / "telemetry"), "MATCHING_TOKEN_KEY": "load:no secret"}
    shutil.rmtree(scratch / "telemetry", ignore_errors=True)
    with (scratch / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "matching.runtime", *map(str, given)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **spool})
    try:
        end = time.monotonic() + 120
        while not pings(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server does not answer: see {scratch / 'server.log'}")
            time.sleep(0.1)
        time.sleep(1)
        yield Server(port, control)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def pings(port: int) -> bool:
    """Whether the server is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def measure(
    server: Server, records: pl.DataFrame, expected: Expected, rate: float, seconds: float, scenario: str, other: Path
) -> dict[str, Any]:
    """One scenario at one rate: what the answers were and how long they took."""
    rows = [json.dumps({k: v for k, v in row.items() if v is not None}).encode() for row in records.to_dicts()]
    idle, busy = round(psutil.cpu_times_percent(1.0).idle), round(os.getloadavg()[0], 1)
    Load("127.0.0.1", server.port).run(rows[: int(rate * WARM_SECONDS)], rate)
    ids = records["record_id"].to_list()
    asked = [n % len(rows) for n in range(int(rate * seconds))]
    taken: list[float] = []
    middle = threading.Timer(seconds / 4, _timed(lambda: server.happen(scenario, other), taken))
    middle.start()
    used = server.cpu_seconds()
    answers: list[Answer] = []
    while not answers or middle.is_alive():  # what happens is to be over before the load is
        answers += Load("127.0.0.1", server.port).run([rows[n] for n in asked], rate)
    # A scenario that replaces workers forgets what the old ones used.
    used = round(1000 * (server.cpu_seconds() - used) / len(answers), 2) if scenario == "steady" else None
    return {
        "idle_percent_before": idle, "load_average": busy, "event_seconds": round(taken[0], 2), "worker_cpu_ms": used,
        "memory_mib": server.memory_mib(),
        **judged(answers, [ids[asked[n % len(asked)]] for n in range(len(answers))], expected),
    }  # fmt: skip


def judged(answers: Sequence[Answer], ids: Sequence[str], expected: Expected) -> dict[str, Any]:
    """Counts and percentiles of answers to questions about the records `ids`."""
    wrong, degraded, questions = [], 0, {}
    for answer, record in zip(answers, ids, strict=True):
        if answer.status != 200:
            continue
        said = json.loads(answer.body)
        decision = said["decisions"][0]
        known = expected.get(said["bundle_version"], {}).get(record)
        same_bundle = answer.headers["x-bundle-version"] == said["bundle_version"] == decision["bundle_version"]
        given = (decision["decision"], decision["reference_id"])
        degraded += decision["degraded"]
        right = decision["decision"] == "review" if decision["degraded"] else given == known
        if not (right and same_bundle):
            wrong.append({"expected": known, "header": answer.headers["x-bundle-version"], **decision})
        questions.setdefault(decision["decision_id"], set()).add((said["bundle_version"], record))
    good = sorted(answer.ms for answer in answers if answer.status == 200)
    marks = {f"p{mark}_ms": round(good[min(int(len(good) * mark / 100), len(good) - 1)], 2) for mark in (50, 95, 99)}
    return {
        "requests": len(answers), "failed": len(answers) - len(good),
        "failed_by_status": dict(Counter(str(answer.status) for answer in answers if answer.status != 200)),
        **marks, "max_ms": round(good[-1], 2),
        "sent_again": sum(answer.tries > 1 for answer in answers),
        "refused_by_status": dict(Counter(told for answer in answers for told in answer.refused)),
        "wrong": len(wrong), "wrong_answers": wrong[:5], "degraded": degraded,
        "distinct_ids": len(questions), "duplicate_ids": sum(len(asked) > 1 for asked in questions.values()),
        "versions": len({answer.headers.get("x-bundle-version") for answer in answers if answer.status == 200}),
    }  # fmt: skip


def _timed(work: Callable[[], None], taken: list[float]) -> Callable[[], None]:
    def run() -> None:
        started = time.perf_counter()
        try:
            work()
        finally:
            taken.append(time.perf_counter() - started)

    return run


if __name__ == "__main__":
    sys.exit(main())
