"""A rollout under load, with everything that can happen to it: real runtime processes, a real router, real kills.

  .venv/bin/python -m scripts.rollout_scenario [--rate 60] [--home DIR]

Three versions are fitted on a part of the embedded sample: one that serves, the same under another version, and one
that matches nothing. While an open-loop sender asks at a fixed rate (benchmarks/load_client.py, which sends a request
again when its connection breaks, as matching.client does), the second version takes over by a canary; the router, an
instance and the controller are killed with SIGKILL; the third version is tried as a canary and has to be turned back;
and what served first is rolled back to. Every answer is compared with what the bundle that it names decides in batch.

Prints a timeline and the counts, and exits with 1 if an answer was wrong, an id stood for two decisions, more than one
in a thousand requests failed, or a rollback took too long. Client and servers share this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import psutil

from benchmarks.load import judged, renamed
from benchmarks.load_client import Answer, Load
from matching.bundle import read_manifest
from matching.ranker import RankerConfig
from matching.records import read_table
from matching.retrieval.encoder import EncoderConfig
from matching.scoring import Scorer
from matching.training import FitConfig, fit
from matching_assets.sample import sample_files
from resources.alarms import Alarm
from resources.endpoint import VARIANT
from resources.endpoint_local import LocalEndpoint
from resources.rollout import EndpointSpec, Rollout, Variant
from resources.store import LocalStore

NAME = "scenario"
CONFIG = FitConfig(
    target_precision=0.9,
    most_false_accepts=0.2,
    folds=3,
    top_k=20,
    encoder=EncoderConfig(steps=10, dim=16),
    ranker=RankerConfig(trees=20, threads=1),
)
RECORDS = 300
PERIOD_SECONDS = 5.0
ALARMS = (
    Alarm("error_share", 0.05, period_seconds=PERIOD_SECONDS, least=10),
    Alarm("match_share", 0.05, period_seconds=PERIOD_SECONDS, least=10, when="below"),
)
CANARY = Rollout("canary", 0.25, bake_seconds=2 * PERIOD_SECONDS, baseline=True)
MOST_ROLLBACK_SECONDS = 10.0
MOST_FAILED = 0.001


class ScenarioError(RuntimeError):
    """Something did not happen that should have."""


def fit_versions(home: Path) -> dict[str, Path]:
    """Three bundles: `first`, `second` (decides the same) and `bad` (matches nothing by itself)."""
    reference, records, labels = (read_table(path) for path in sample_files().values())
    records = records.head(RECORDS)
    labels = labels.join(records, on="record_id", how="semi", maintain_order="left")
    right = reference.join(labels, on="reference_id", how="semi", maintain_order="left")
    reference = pl.concat([reference.head(1300), right]).unique("reference_id").sort("reference_id")
    bundles = {name: home / "bundles" / name for name in ("first", "second", "bad")}
    fit(reference, records, labels, config=CONFIG, bundle=bundles["first"])
    fit(reference, records, labels, config=replace(CONFIG, target_precision=0.9999), bundle=bundles["bad"])
    renamed(bundles["first"], bundles["second"])
    return bundles


class Scenario:
    """An endpoint under load, and what is done to it."""

    def __init__(self, home: Path) -> None:
        self.home, self.began = home, time.monotonic()
        store = LocalStore(root=str(home / "store"))
        self.endpoint = LocalEndpoint(store=store, root=str(home / "endpoint"))
        self.bundles = fit_versions(home)
        self.versions = {name: read_manifest(folder).version for name, folder in self.bundles.items()}
        self.records = read_table(sample_files()["records"]).head(RECORDS)
        self.expected = {
            self.versions[name]: decisions_of(folder, self.records) for name, folder in self.bundles.items()
        }
        self.controller: subprocess.Popen[bytes] | None = None

    def say(self, text: str) -> None:
        """One line of the timeline."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def spec(self, which: str, rollout: Rollout | None = None) -> EndpointSpec:
        """Two instances of a version."""
        digest = self.endpoint.store.put_folder(self.bundles[which])
        variant = Variant(VARIANT, digest, self.versions[which], instances=2)
        return EndpointSpec(NAME, (variant,), rollout=rollout or Rollout(), alarms=ALARMS)

    def wait(self, what: str, happened: Callable[[], bool], seconds: float = 120.0) -> float:
        """Wait until something has happened, and say after how many seconds it had."""
        began = time.monotonic()
        while not happened():
            if time.monotonic() - began > seconds:
                raise ScenarioError(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.05)
        took = time.monotonic() - began
        self.say(f"{what} after {took:.2f} s")
        return took

    def is_serving(self, which: str) -> bool:
        """Whether a version is in service, with all of its instances."""
        status = self.endpoint.describe(NAME)
        now = [(v.version, v.instances) for v in status.variants]
        return status.status == "InService" and now == [(self.versions[which], 2)]

    def start_controller(self) -> None:
        """Start a controller in a process of its own; nothing else advances the endpoint."""
        command = [sys.executable, "-m", "resources.endpoint_local", "--name", NAME]
        command += ["--store", self.endpoint.store.root, "--root", self.endpoint.root]
        self.controller = subprocess.Popen(command)

    def kill_controller(self) -> None:
        """Kill it."""
        if self.controller:
            self.controller.kill()
            self.controller.wait()

    @contextmanager
    def load(self, rate: float, answers: list[Answer], ids: list[str]) -> Iterator[None]:
        """Ask at a fixed rate until the block ends."""
        known = self.records.select("record_id", "name", "country").to_dicts()
        url = urlsplit(self.endpoint.describe(NAME).url)
        going, number = threading.Event(), 0

        def ask() -> None:
            nonlocal number
            sender = Load(str(url.hostname), int(url.port or 0))
            while not going.is_set():
                batch = [known[(number + n) % len(known)] for n in range(int(2 * rate))]
                bodies = [json.dumps({k: v for k, v in one.items() if v is not None}).encode() for one in batch]
                ids.extend(one["record_id"] for one in batch)
                answers.extend(sender.run(bodies, rate))
                sender = Load(str(url.hostname), int(url.port or 0))
                number += len(batch)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            going.set()
            thread.join()


def decisions_of(bundle: Path, records: pl.DataFrame) -> dict[str, tuple[str, str | None]]:
    """What a bundle decides in batch, by record."""
    asked = records.select("record_id", "name", "country")
    decided = Scorer.load(bundle).score(asked, reasons=False).decisions
    return {i: (d, r) for i, d, r in decided.select("record_id", "decision", "reference_id").iter_rows()}


def happen(scenario: Scenario) -> dict[str, float]:
    """All that happens under load; how long each part took, in seconds."""
    endpoint, took = scenario.endpoint, dict[str, float]()
    time.sleep(2)
    endpoint.apply(scenario.spec("second", CANARY))
    scenario.say("the second version is asked for, as a canary")
    took["canary_to_full"] = scenario.wait(
        "the second version has all of the traffic", lambda: scenario.is_serving("second")
    )

    before = endpoint.processes(NAME)
    os.kill(before["router"], signal.SIGKILL)
    scenario.say("the router is killed")
    took["router_back"] = scenario.wait(
        "another router serves", lambda: endpoint.processes(NAME)["router"] != before["router"]
    )
    generation = endpoint.describe(NAME).generation
    place, pid = next(found for found in before.items() if found[0].startswith(f"{generation}/production/"))
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        process.kill()
    scenario.say(f"the instance {place} is killed, with its workers")
    took["instance_back"] = scenario.wait(
        "it serves again",
        lambda: endpoint.processes(NAME).get(place, pid) != pid and scenario.is_serving("second"),
    )

    endpoint.apply(scenario.spec("bad", CANARY))
    scenario.say("a version that matches nothing is asked for, as a canary")
    scenario.kill_controller()
    scenario.say("the controller is killed, and another started")
    scenario.start_controller()
    bad = scenario.versions["bad"]
    scenario.wait(
        "the bad version has traffic",
        lambda: any(v.version == bad and v.weight > 0 for v in endpoint.describe(NAME).variants),
    )
    took["rollback_decided"] = scenario.wait(
        "the rollback is decided", lambda: endpoint.describe(NAME).status != "Updating"
    )
    took["rollback_done"] = scenario.wait(
        "the second version has all of the traffic again", lambda: scenario.is_serving("second")
    )
    scenario.say(f"the reason: {endpoint.describe(NAME).reason}")

    endpoint.rollback(NAME)
    scenario.say("a rollback to the first version is asked for, by hand")
    took["rollback_by_hand"] = scenario.wait("the first version serves", lambda: scenario.is_serving("first"))
    time.sleep(2)
    return took


def main() -> int:
    """Run the scenario and return the exit code."""
    parser = argparse.ArgumentParser(description="A rollout under load.")
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second (default 60)")
    parser.add_argument("--home", type=Path, help="an empty folder for all state, which is kept (default: a new one)")
    given = parser.parse_args()
    scenario = Scenario(given.home or Path(tempfile.mkdtemp(prefix="rollout-")))
    answers: list[Answer] = []
    ids: list[str] = []
    try:
        scenario.endpoint.deploy(scenario.spec("first"))
        scenario.say("the first version serves")
        scenario.start_controller()
        with scenario.load(given.rate, answers, ids):
            took = happen(scenario)
    except ScenarioError as problem:
        scenario.say(f"FAILED: {problem}")
        return 1
    finally:
        scenario.kill_controller()
        scenario.endpoint.delete(NAME)
    return verdict(scenario, took, judged(answers, ids, scenario.expected))


def verdict(scenario: Scenario, took: dict[str, float], found: dict[str, Any]) -> int:
    """Say what came of it; 1 if something is not as it has to be."""
    print(json.dumps({"seconds": {name: round(value, 2) for name, value in took.items()}, **found}, indent=1))
    wrong = {
        "wrong answers": found["wrong"] > 0,
        "ids that stand for two decisions": found["duplicate_ids"] > 0,
        "too many failed requests": found["failed"] > MOST_FAILED * found["requests"],
        # A window may just have begun, and the controller looks five times a second.
        "a rollback decided too late": took["rollback_decided"] > PERIOD_SECONDS + 2,
        "a rollback that took too long": took["rollback_done"] > MOST_ROLLBACK_SECONDS,
    }
    for what in (text for text, bad in wrong.items() if bad):
        scenario.say(f"FAILED: {what}")
    if not any(wrong.values()):
        scenario.say("all happened as it should")
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
