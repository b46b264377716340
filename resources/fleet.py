"""The processes of a local endpoint: one for each instance of a variant, and the router before them.

`<name>.json` is the book of what was started; an instance is in it before it is started, so that one whose starter was
killed is found by its port. `<name>.table.json` is what the router follows. All of it is about this machine: what the
endpoint should be is in the object store (resources/rollout.py).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from matching.files import write_json
from resources.alarms import Window
from resources.controller import Follow, Health, Place, Route, Routes, Seen, Start, Stop, target
from resources.metering import read_windows
from resources.processes import PATIENCE_SECONDS, Started, free_port, http, is_running, ping, start, stop

Json = dict[str, Any]
SILENT_SECONDS = 10.0
"""How long a process that has served may leave pings unanswered before it counts as dead."""
SPOOL, TELEMETRY = "MATCHING_TELEMETRY_DIR", "telemetry"
ROUTER_SECONDS = 10.0
LONGEST_REST = 60.0


class Fleet:
    """What runs under one endpoint's name on this machine."""

    def __init__(self, root: Path, name: str, module: str, host: str, deadline_seconds: float) -> None:
        self._root, self._name, self._module, self._host = root, name, module, host
        self._deadline = deadline_seconds
        self.table = root / f"{name}.table.json"

    @property
    def url(self) -> str:
        """Where the router listens; empty before the first start."""
        port = self._book()["router"].get("port")
        return f"http://{self._host}:{port}" if port else ""

    def see(self, now: float, note: bool) -> Seen:
        """What is there now. `note`: write down what was learnt; only for who holds the endpoint's lock."""
        book, places, faults = self._book(), dict[Place, Health](), dict[Place, str]()
        for key, entry in book["places"].items():
            place = _place(key)
            fault, ready = self._examine(entry, now)
            if fault is None:
                places[place] = "ready" if ready else "starting"
            else:
                rests = now - entry["at"] < min(LONGEST_REST, 2.0 ** entry["restarts"] - 1)
                places[place], faults[place] = ("resting" if rests else "dead"), fault
        routes = self._routes(book)
        if note and book != self._book():
            self._write(book)
        return Seen(places, routes, faults)

    def windows(self, since: float) -> list[Window]:
        """What was measured after `since`."""
        return read_windows(self.table.with_suffix(".windows.jsonl"), since)

    def start(self, action: Start, bundle: Path, now: float) -> None:
        """Start an instance, in place of what is left of an earlier one."""
        book, key = self._book(), _key(action.place)
        before = book["places"].get(key)
        for left in self._left(before) if before else []:
            stop(left)
        port = before["port"] if before else self._free_port(book)
        settled = before is None or now - before["at"] > LONGEST_REST
        entry: Json = {"port": port, "version": action.variant.version, "at": now, "ready": False, "silent": None}
        book["places"][key] = entry | {"started": None, "stopping": None}
        entry = book["places"][key]
        entry["restarts"] = 0 if settled or before is None else before["restarts"] + 1
        self._write(book)
        command = [sys.executable, "-m", self._module, "--bundle", str(bundle), "--host", self._host]
        entry["started"] = list(start([*command, "--port", str(port)], self._log(port), self._spool(action.place)))
        self._write(book)

    def _spool(self, place: Place) -> dict[str, str]:
        """Where an instance leaves its telemetry. What a shadow decides is no traffic: it was decided before."""
        kept = os.environ.get(SPOOL) or str(self._root / TELEMETRY)
        return {SPOOL: "" if place.role == "shadow" else kept}

    def stop(self, action: Stop, now: float) -> None:
        """Ask an instance to end; called again until it has, and killed when it takes too long."""
        book, key = self._book(), _key(action.place)
        entry = book["places"].get(key)
        if entry is None:
            return
        self._adopt(entry)
        if entry["started"] is None or not is_running(Started(*entry["started"])):
            if entry["started"]:
                stop(Started(*entry["started"]))  # to have asked how it ended
            del book["places"][key]
        elif entry["stopping"] is None:
            os.kill(entry["started"][0], signal.SIGTERM)
            entry["stopping"] = now
        elif now - entry["stopping"] > PATIENCE_SECONDS:
            os.kill(entry["started"][0], signal.SIGKILL)
        self._write(book)

    def follow(self, action: Follow, window_seconds: float) -> None:
        """Write the table that the router follows, and wait until it does."""
        places = self._book()["places"]
        document = {
            "production": [self._document(route, places) for route in action.routes.production],
            "shadow": self._document(action.routes.shadow, places) if action.routes.shadow else None,
            "window_seconds": window_seconds,
        }
        write_json(self.table, document)
        self._wait(lambda: self._asked() == action.routes)

    def start_router(self, now: float) -> None:
        """Start the router, beside one that has lost its keeper; nothing if it has only just been started."""
        book = self._book()
        router = book["router"]
        keeper = router.get("started")
        if keeper and is_running(Started(*keeper)) and now - router["at"] < ROUTER_SECONDS:
            return
        orphan = router.get("child")
        router |= {"port": router.get("port") or self._free_port(book), "at": now}
        self._write(book)
        command = [sys.executable, "-m", "resources.router", "--table", str(self.table), "--host", self._host]
        if keeper:
            stop(Started(*keeper))
        router["started"] = list(start([*command, "--port", str(router["port"])], self._log(router["port"])))
        self._write(book)
        self._wait(lambda: self._asked() is not None)
        if orphan:
            stop(Started(*orphan))

    def stop_router(self) -> None:
        """Stop the router and forget its port."""
        book = self._book()
        for process in (book["router"].get("started"), book["router"].get("child")):
            if process:
                stop(Started(*process))
        self.table.unlink(missing_ok=True)
        self._write({**book, "router": {}})

    def processes(self) -> dict[str, int]:
        """The pids of all that runs, by place; the router's keeper and child as `keeper` and `router`."""
        book = self._book()
        found = {key: entry["started"][0] for key, entry in book["places"].items() if entry["started"]}
        router = {"keeper": book["router"].get("started"), "router": book["router"].get("child")}
        return found | {name: process[0] for name, process in router.items() if process}

    def _examine(self, entry: Json, now: float) -> tuple[str | None, bool]:
        """Why an instance is dead (None: it is not), and whether it serves."""
        log = self._log(entry["port"])
        self._adopt(entry)
        if entry["started"] is None or not is_running(Started(*entry["started"])):
            return f"the process ended before it answered; the reason is in {log}", False
        said = ping(f"http://{self._host}:{entry['port']}")
        if said is None:
            entry["silent"] = entry["silent"] or now
            limit = SILENT_SECONDS if entry["ready"] else self._deadline
            since = entry["silent"] if entry["ready"] else entry["at"]
            return (f"no answer within {limit:.0f} s; see {log}" if now - since > limit else None), entry["ready"]
        if said.get("bundle_version") != entry["version"]:
            return f"it serves version {said.get('bundle_version')}, not {entry['version']}: the wrong bundle?", False
        entry |= {"ready": True, "silent": None}
        return None, entry["stopping"] is None

    def _adopt(self, entry: Json) -> None:
        """Find the process of an entry whose starter was killed before it could write the pid down."""
        if entry["started"] is None and (left := self._left(entry)):
            entry["started"] = list(min(left, key=lambda started: started.created))

    def _left(self, entry: Json) -> list[Started]:
        """What runs for an entry: its process, and workers that have outlived it and still hold its port."""
        port = ["--port", str(entry["port"])]
        found = [Started(*entry["started"])] if entry["started"] else []
        for process in psutil.process_iter(["cmdline", "create_time"]):
            words = process.info["cmdline"] or []
            if self._module in words and words[-2:] == port:
                found.append(Started(process.pid, process.info["create_time"]))
        return list(dict.fromkeys(found))

    def _routes(self, book: Json) -> Routes | None:
        """What the router follows; None when none answers, or when nobody would replace it."""
        keeper = book["router"].get("started")
        return self._asked(book) if keeper and is_running(Started(*keeper)) else None

    def _asked(self, book: Json | None = None) -> Routes | None:
        import requests

        try:
            said = http().get(f"{self.url}/-/routes", timeout=2).json()
        except requests.RequestException:
            return None
        if book is not None and (book["router"].get("child") or [0])[0] != said["pid"]:
            book["router"]["child"] = [said["pid"], psutil.Process(said["pid"]).create_time()]
        shadow = said["table"]["shadow"]
        return Routes(tuple(map(_route, said["table"]["production"])), _route(shadow) if shadow else None)

    def _wait(self, happened: Callable[[], bool]) -> None:
        """Wait for the router; if it does not come, the next look will see that."""
        until = time.monotonic() + ROUTER_SECONDS
        while not happened() and time.monotonic() < until:
            time.sleep(0.02)

    def _document(self, route: Route, places: Mapping[str, Json]) -> Json:
        return {
            "fleet": route.fleet,
            "role": route.role,
            "variant": route.variant,
            "version": route.version,
            "group": route.group,
            "share": route.share,
            "target": target(route.fleet, route.role, route.variant),
            "places": [place.number for place in route.places],
            "addresses": [[self._host, places[_key(place)]["port"]] for place in route.places],
        }

    def _free_port(self, book: Json) -> int:
        """A port that neither listens nor is meant for something else here."""
        taken = {entry["port"] for entry in book["places"].values()} | {book["router"].get("port")}
        while (port := free_port(self._host)) in taken:
            pass
        return port

    def _log(self, port: int) -> Path:
        return self._root / f"{self._name}-{port}.log"

    def _book(self) -> Json:
        path = self._root / f"{self._name}.json"
        empty: Json = {"router": {}, "places": {}}
        return empty | json.loads(path.read_bytes()) if path.exists() else empty

    def _write(self, book: Json) -> None:
        write_json(self._root / f"{self._name}.json", book)


def _key(place: Place) -> str:
    return f"{place.target}/{place.number}"


def _place(key: str) -> Place:
    fleet, role, variant, number = key.split("/")
    return Place(int(fleet), role, variant, int(number))  # type: ignore[arg-type]


def _route(known: Mapping[str, Any]) -> Route:
    fields = {name: known[name] for name in ("fleet", "role", "variant", "version", "group", "share")}
    places = tuple(Place(known["fleet"], known["role"], known["variant"], number) for number in known["places"])
    return Route(**fields, places=places)
