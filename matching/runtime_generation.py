"""A generation: one bundle, loaded once, and the workers that serve it. Started by `matching.runtime`, never by hand.

The bundle is verified, loaded and warmed here; a child checks it against its golden records; then workers are forked,
which share all of that memory until they write to it. So a worker that dies is replaced in a moment, a second one costs
a tenth of the first, and a bundle that is torn, altered or wrong never gets a worker.

Forking is safe because nothing here has started a thread that the workers need: compiled code runs on the caller's
thread, and `matching.records.read_own` reads tables without the threads of polars. That is checked before the fork;
where it does not hold, each worker loads the bundle by itself.

What happened is told to the supervisor as JSON lines: {"event": "up" | "leaving" | "refused", ...}. SIGUSR1 retires the
workers (they give their clients time to connect anew), SIGTERM stops them. They also stop when the supervisor is gone.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import logging.config
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matching.runtime_fallback import Sturdy

WARM_UP = pl.DataFrame(
    {"record_id": ["warm-up"], "name": ["Warm Up Holdings plc"], "country": ["United Kingdom"], "city": ["London"]}
)
# With a country and a town: the tables they are looked up in take seconds to load, once in a process.
REFUSED = 3
GARBAGE = (
    20_000  # objects between two searches for garbage; a request makes thousands, and hardly any of it is circular
)
# For how long a thread may keep the interpreter while another waits for it. Python's own 5 ms are ten milliseconds of a
# request that scores for two, whenever telemetry or metrics are being written.
TURN_SECONDS = 0.0005
PATIENCE_SECONDS = 29  # SageMaker sends SIGKILL 30 seconds after SIGTERM
SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1)
log = logging.getLogger("matching.generation")


@dataclass(frozen=True)
class Given:
    """What the supervisor says. `listener`, `lifeline`, `tell`: file descriptors; the lifeline ends when it does."""

    bundle: Path
    workers: int
    listener: int
    lifeline: int
    tell: int
    state: Path
    keys: Path | None
    apart: bool


def load(bundle: Path) -> Sturdy:
    """The scorer of a verified bundle, warm but for its reasons. Raises BundleError."""
    from matching.runtime_fallback import Sturdy
    from matching.scoring import Scorer

    scorer = Sturdy(Scorer.load(bundle))
    scorer.scorer.score(WARM_UP, reasons=False)
    return scorer


def golden_differences(scorer: Sturdy) -> list[str]:
    """What the bundle decides otherwise than its golden records say, a sentence each.

    A bundle that was reindexed has the golden records of its parent and may decide otherwise on another reference; what
    it may not do is to match one of them to something else while the right reference is there.
    """
    from matching.golden import check_golden
    from matching.records import read_own

    folder = scorer.scorer.folder
    if folder is None:
        return []
    golden, facts = read_own(folder / "golden.parquet"), scorer.scorer.manifest.facts
    if golden.is_empty():
        return []
    top_k = int(facts.get("config", {}).get("top_k", 50))
    decisions = scorer.scorer.score(golden.drop("reference_id", "decision"), top_k, reasons=False).decisions
    if "parent" in facts:
        there = golden["reference_id"].is_in(list(scorer.scorer.index.reference_number))
        matched = golden.filter(there & (golden["decision"] == "match"))
        decided = decisions.filter(pl.col("decision") == "match")
        both = matched.join(decided.select("record_id"), on="record_id", how="semi")
        return check_golden(both, decided)
    return check_golden(golden, decisions)


def main(arguments: Sequence[str] | None = None) -> None:
    """Load, check, fork, and keep the workers up until told otherwise."""
    parser = argparse.ArgumentParser(prog="python -m matching.runtime_generation")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--keys", type=Path)
    parser.add_argument("--state", type=Path, required=True)
    for name in ("workers", "listener", "lifeline", "tell"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--apart", action="store_true", help="each worker loads the bundle by itself")
    given = Given(**vars(parser.parse_args(arguments)))
    from matching.runtime_app import LOGGING

    logging.config.dictConfig(LOGGING)
    warnings.filterwarnings("ignore", message=r"Using fork\(\) can cause Polars", category=RuntimeWarning)
    sys.exit(run(given))


def run(given: Given) -> int:
    """The exit status: 0 when it was stopped, REFUSED when the bundle is not served."""
    from matching.bundle import BundleError

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        scorer = None if given.apart else load(given.bundle)
    except (BundleError, OSError, ValueError, KeyError) as problem:
        return refuse(given, str(problem))
    if scorer is not None and (started := foreign_threads()):
        log.warning("threads %s were started while loading: each worker loads by itself", ",".join(started))
        os.execv(sys.executable, [sys.executable, "-m", "matching.runtime_generation", *sys.argv[1:], "--apart"])
    gc.collect()
    gc.freeze()
    if (status := in_a_child(lambda: check(given, scorer))) != 0:
        return status
    return Keeper(given, scorer).keep()


def refuse(given: Given, why: str) -> int:
    """Say that the bundle is not served and why."""
    tell(given, event="refused", why=why)
    log.error("refused %s: %s", given.bundle, why)
    return REFUSED


def check(given: Given, scorer: Sturdy | None) -> int:
    """0 when the bundle decides its golden records as it should."""
    differences = golden_differences(scorer or load(given.bundle))
    if differences:
        told = "; ".join(differences[:5])
        return refuse(given, f"{len(differences)} golden records are decided otherwise: {told}")
    return 0


def in_a_child(work: Callable[[], int]) -> int:
    """What `work` returns in a forked process; 1 when it raises or is killed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def foreign_threads() -> list[str]:
    """Names of threads that would be missing in a forked worker: those of polars, which it would wait for for ever."""
    names = {(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    return sorted(name for name in names if name.startswith(("polars-0", "polars-1", "tokio", "async-exec")))


def tell(given: Given, **said: Any) -> None:
    """Tell the supervisor. Once it is gone there is nobody to tell."""
    try:
        os.write(given.tell, json.dumps(said).encode() + b"\n")
    except BrokenPipeError:
        log.warning("the supervisor is gone")


class Keeper:
    """Keeps the workers up; one that dies is forked again, at once the first time and then a little later each time."""

    def __init__(self, given: Given, scorer: Sturdy | None) -> None:
        self._given, self._scorer = given, scorer
        self._pids: dict[int, float] = {}
        self._deaths = 0

    def keep(self) -> int:
        """Fork the workers and wait. 0 when told to stop."""
        for _ in range(self._given.workers):
            self._fork()
        while True:
            happened = signal.sigtimedwait(SIGNALS, 0.5)
            gone = bool(select.select([self._given.lifeline], [], [], 0)[0])
            if gone or (happened is not None and happened.si_signo != signal.SIGCHLD):
                return self._stop(signal.SIGTERM if gone or happened is None else happened.si_signo)
            for pid in self._reap():
                self._deaths = self._deaths + 1 if time.monotonic() - self._pids.pop(pid) < 10 else 0
                log.warning("worker %d died and is replaced", pid)
                time.sleep(min(0.2 * self._deaths, 2.0))
                self._fork()

    def _fork(self) -> None:
        pid = os.fork()
        if pid:
            self._pids[pid] = time.monotonic()
            return
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            work(self._given, self._scorer)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> list[int]:
        """The workers that have ended."""
        return [pid for pid in self._pids if os.waitpid(pid, os.WNOHANG)[0]]

    def _stop(self, how: int) -> int:
        for pid in self._pids:
            os.kill(pid, how)
        end = time.monotonic() + PATIENCE_SECONDS
        while self._pids and time.monotonic() < end:
            for pid in self._reap():
                del self._pids[pid]
            time.sleep(0.02)
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        return 0


def work(given: Given, scorer: Sturdy | None) -> None:
    """One worker, until it is told to leave."""
    from matching.runtime_app import Service, create_app
    from matching.runtime_keys import Keys
    from matching.runtime_metrics import Meter, emf_stream
    from matching.runtime_server import Server
    from matching.runtime_spool import spool_from_environment

    scorer = scorer or load(given.bundle)
    scorer.score(WARM_UP)
    gc.set_threshold(GARBAGE)
    sys.setswitchinterval(TURN_SECONDS)
    metrics = given.state / "metrics"
    service = Service(
        scorer,
        keys=Keys.read(given.keys),
        meter=Meter(scorer.bundle_version, metrics, emf_stream()),
        metrics=metrics,
        spool=spool_from_environment(),
        status=given.state / "status.json",
        faults=scorer.faults,
        overdue=scorer.overdue,
    )
    listener = socket.socket(fileno=os.dup(given.listener))
    server = Server(create_app(service), service, given.lifeline)
    server.when_up = lambda: tell(given, event="up", pid=os.getpid(), version=scorer.bundle_version)
    server.when_leaving = lambda: tell(given, event="leaving", pid=os.getpid())
    server.run([listener])


if __name__ == "__main__":
    main()
