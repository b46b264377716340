"""Endpoints of this machine: a process for each instance of a variant, behind a router process.

The endpoint's address is the router's and stays, whatever is deployed behind it. What is done next is decided by
`resources.controller.reconcile`; here it is done. To see a rollout through, or to start again what was killed, somebody
has to call `advance`: `deploy` does while it waits, and

    python -m resources.endpoint_local --store DIR --root DIR --name NAME

does until it is stopped (Dagster's sensor `endpoint_health` once a minute).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from matching.experiments import Arm, judge_canary
from resources.alarms import EDGES_MS, Window, breach
from resources.answers import answers_file, read_answers
from resources.controller import (
    Action,
    Follow,
    Note,
    Seen,
    Start,
    StartRouter,
    Stop,
    StopRouter,
    instances,
    reconcile,
    target,
)
from resources.endpoint import JSON_LINES, Endpoint, EndpointError, EndpointStatus, in_flight, json_lines, status_of
from resources.fleet import Fleet
from resources.processes import http
from resources.rollout import Ledger, Phase
from resources.store import ConflictError, Json, LocalStore, MissingError


class LocalEndpoint(Endpoint):
    """Processes of this machine, detached from who started them: `python -m <module> --bundle DIR --host H --port P`.

    `root` holds the books, the router's tables and windows, and a log for each port. `window_seconds`: how often what
    was measured is written down, and so the shortest period that an alarm can have.
    """

    root: str
    module: str = "matching.runtime"
    host: str = "127.0.0.1"
    deadline_seconds: float = 120.0
    window_seconds: float = 1.0

    def advance(self, name: str) -> EndpointStatus:
        """See Endpoint."""
        with self._lock(name):
            ledger, fleet, now = self._known(name), self._fleet(name), time.time()
            seen = self._seen(ledger, fleet, now)
            try:
                actions = self._do(name, ledger, reconcile(ledger, seen, now), now)
            except ConflictError:  # somebody has wished for something else meanwhile: that is looked at next time
                actions = 1
            return self._status(name, settled=actions == 0)

    def describe(self, name: str) -> EndpointStatus:
        """See Endpoint."""
        return self._status(name)

    def invoke(self, name: str, records: Sequence[Json], variant: str | None = None) -> list[Json]:
        """See Endpoint."""
        import requests

        self._known(name)
        url = self._fleet(name).url
        headers = {"Content-Type": JSON_LINES, "Accept": JSON_LINES} | (
            {"X-Target-Variant": variant} if variant else {}
        )
        try:
            answer = http().post(f"{url}/invocations", data=json_lines(records), headers=headers, timeout=60)
        except requests.RequestException as problem:
            raise EndpointError(f"{name} does not answer at {url or 'any address'}: advance it") from problem
        if answer.status_code != requests.codes.ok:
            raise EndpointError(f"{name} answered {answer.status_code}: {answer.text[:1000]}")
        return [json.loads(line) for line in answer.content.splitlines() if line.strip()]

    def processes(self, name: str) -> dict[str, int]:
        """The pids of what runs under a name: `router`, `keeper`, and each instance by its place."""
        return self._fleet(name).processes()

    def windows(self, name: str, since: float = 0.0) -> list[Window]:
        """What was measured after `since` (seconds since 1970), by target."""
        return self._fleet(name).windows(since)

    def answers(self, name: str, record_ids: Iterable[str], since: float = 0.0) -> list[Json]:
        """See Endpoint."""
        return read_answers(answers_file(self._fleet(name).table), record_ids, since)

    def _clear_away(self, name: str) -> bool:
        with self._lock(name):
            ledger, fleet, now = self._ledger(name), self._fleet(name), time.time()
            if ledger is None or self._do(name, ledger, reconcile(ledger, fleet.see(now, note=True), now), now):
                return ledger is None
            fleet.stop_router()
            return True

    def _seen(self, ledger: Ledger, fleet: Fleet, now: float) -> Seen:
        seen = fleet.see(now, note=True)
        if ledger.phase not in ("Creating", "Updating") or ledger.step == 0:
            return seen
        windows = fleet.windows(ledger.since)
        new = {target(ledger.generation, "production", variant.name) for variant in ledger.desired.variants}
        asked = sum(window.requests for window in windows if window.target in new)
        return replace(seen, breaches=breaches(ledger, windows, now), requests=asked)

    def _do(self, name: str, ledger: Ledger, actions: Sequence[Action], now: float) -> int:
        """Do what is to be done, in its order; how many actions that were."""
        fleet = self._fleet(name)
        for action in actions:
            match action:
                case Note(after):
                    self._note(name, ledger, after)
                case StartRouter():
                    fleet.start_router(now)
                case StopRouter():
                    fleet.stop_router()
                case Start(_, variant):
                    fleet.start(action, self.store.get_folder(variant.bundle_digest), now)
                case Stop():
                    fleet.stop(action, now)
                case Follow():
                    fleet.follow(action, self.window_seconds)
        return len(actions)

    def _status(self, name: str, settled: bool = False) -> EndpointStatus:
        ledger, fleet = self._known(name), self._fleet(name)
        seen = fleet.see(time.time(), note=False)
        shares: dict[tuple[int, str], list[float]] = defaultdict(lambda: [0.0, 0])
        routes = [*seen.routes.production, *filter(None, [seen.routes.shadow])] if seen.routes else []
        for route in routes:
            share = shares[route.fleet, route.variant]
            share[0] += route.share
            share[1] += sum(seen.places.get(place) == "ready" for place in route.places)
        now = {key: (share, int(count)) for key, (share, count) in shares.items()}
        status: Phase = ledger.phase
        if status == "InService" and not all(count for _, count in now.values()):
            status = "Failed"
        there = all(seen.places.get(place) == "ready" for place in instances(ledger)) or ledger.phase == "Failed"
        # An instance may have become ready since the routes were made: then there is something left to be done.
        settled = settled and there and status == ledger.phase and not in_flight(ledger)
        return status_of(ledger, fleet.url, status, settled, now)

    def _fleet(self, name: str) -> Fleet:
        return Fleet(Path(self.root), name, self.module, self.host, self.deadline_seconds)

    def _lock(self, name: str) -> FileLock:
        Path(self.root).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self.root) / f".{name}.lock")


def breaches(ledger: Ledger, windows: Sequence[Window], now: float) -> tuple[str, ...]:
    """What rings for the new fleet since the last step: its alarms, and how it does beside the baseline."""
    by_target: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        by_target[window.target].append(window)
    rung = [
        f"{variant.name} of version {variant.version}: {sentence}"
        for variant in ledger.desired.variants
        for alarm in ledger.desired.alarms
        if (sentence := breach(alarm, by_target[target(ledger.generation, "production", variant.name)], now))
    ]
    name = ledger.desired.variants[0].name
    canary = {w.at: w for w in by_target[target(ledger.generation, "production", name)]}
    baseline = {w.at: w for w in by_target[target(ledger.good_generation, "baseline", name)]}
    both = sorted(canary.keys() & baseline.keys())
    against = judge_canary([_arm(canary[at]) for at in both], [_arm(baseline[at]) for at in both], EDGES_MS)
    return (*rung, *(f"{name} of version {ledger.desired.variants[0].version}: {sentence}" for sentence in against))


def _arm(window: Window) -> Arm:
    return Arm(window.requests, window.errors, window.bands, window.latency)


def main(arguments: Sequence[str] | None = None) -> None:
    """Advance an endpoint until this process is stopped or the endpoint deleted."""
    parser = argparse.ArgumentParser(prog="python -m resources.endpoint_local", description="Look after an endpoint.")
    parser.add_argument("--store", required=True, help="root of the object store")
    parser.add_argument("--root", required=True, help="folder of the endpoint's books")
    parser.add_argument("--name", required=True)
    parser.add_argument("--module", default="matching.runtime")
    parser.add_argument("--seconds", type=float, default=0.2, help="between two looks")
    given = parser.parse_args(arguments)
    endpoint = LocalEndpoint(store=LocalStore(root=given.store), root=given.root, module=given.module)
    while True:
        try:
            endpoint.advance(given.name)
        except MissingError:
            return
        time.sleep(given.seconds)


if __name__ == "__main__":
    main()
