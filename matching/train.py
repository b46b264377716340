"""Training as a program: one step of `matching.training_steps`, the same wherever it runs.

    python -m matching.train [train] [--root DIR] [--step S] [--set NAME=VALUE]... [--input DIR] [--output DIR]

- In this process: `run`.
- As a subprocess of Dagster, through Pipes: what was made is reported to the parent.
- As a SageMaker training job, by the contract of its containers ("How Amazon SageMaker Provides Training Information"
  and "... Processes Training Output" in the developer guide), below `--root`, which is /opt/ml:
  `input/config/hyperparameters.json` (text by name, and `step`), `input/data/<table>/`, the result in `model/`, and of
  a failure the first kilobyte in `output/failure`.
- As a SageMaker processing job: the same with `--input`, `--output` and `--set`; its reason is in `output/message`.

The last line of stdout is JSON: the step, its numbers, and the digest of what it made. Exit codes: 0 done; 1 it failed;
2 the input or a setting is wrong, and trying again is of no use; 130 and 143 stopped by SIGINT and SIGTERM. Of an
unexpected error only its kind and its place are told, because its text may hold a name.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from matching.bundle import BundleError
from matching.files import folder_digest
from matching.fit_config import FitConfig
from matching.records import InputError
from matching.training import Progress
from matching.training_steps import STEPS, config_of

DONE, FAILED, WRONG_INPUT, INTERRUPTED, STOPPED = 0, 1, 2, 130, 143
LONGEST_REASON = 1024  # bytes: what SageMaker shows of a failure
PIPES = "DAGSTER_PIPES_CONTEXT"  # set by a parent that listens


@dataclass(frozen=True)
class Made:
    """What a step made. `digest`: of its files, as `matching.files.folder_digest`."""

    step: str
    digest: str
    metrics: dict[str, float]


def _silent(stage: str, share: float) -> None:
    """Report no progress."""


def run(step: str, inputs: Path, config: FitConfig, output: Path, tell: Progress = _silent) -> Made:
    """Do one step: tables from `inputs`, what is made into `output`, which is empty or not there.

    Raises InputError when there is no such step, `output` is in use, or the input cannot be used.
    """
    if step not in STEPS:
        raise InputError(f"{step!r} is no step", column="step", remedy=f"Use one of {', '.join(STEPS)}.")
    if output.exists() and any(output.iterdir()):
        raise InputError("the folder is not empty", file=str(output), remedy="Name another.")
    with tempfile.TemporaryDirectory() as scratch:
        # Not written in place: SageMaker mounts its output, and a mount cannot be put in place by a rename.
        draft = Path(scratch) / "made"
        draft.mkdir()
        metrics = STEPS[step](inputs, config, draft, tell)
        output.mkdir(parents=True, exist_ok=True)
        for item in sorted(draft.iterdir()):
            shutil.move(item, output / item.name)
    return Made(step, folder_digest(output), metrics)


class Ending:
    """How the program ends: an error becomes an exit code, and its reason is left where SageMaker looks for it."""

    def __init__(self, root: Path) -> None:
        self.root, self.code = root, DONE

    def __enter__(self) -> Ending:
        """Nothing has gone wrong yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Note what ended the block; nothing is raised any further."""
        if kind is None or isinstance(problem, SystemExit):
            self.code = problem.code if isinstance(problem, SystemExit) and isinstance(problem.code, int) else DONE
            return True
        if isinstance(problem, InputError | BundleError):
            self.code, reason = WRONG_INPUT, str(problem)
        elif isinstance(problem, KeyboardInterrupt):
            self.code = INTERRUPTED
            return True
        else:
            self.code, last = FAILED, traceback.extract_tb(trace)[-1]
            reason = f"{kind.__name__} in {Path(last.filename).name}, line {last.lineno}"
            sys.stderr.writelines(traceback.format_tb(trace))
        print(f"matching.train: {reason}", file=sys.stderr)
        self._leave(reason)
        return True

    def _leave(self, reason: str) -> None:
        output = self.root / "output"
        output.mkdir(parents=True, exist_ok=True)
        for name in ("failure", "message"):
            (output / name).write_bytes(reason.encode()[:LONGEST_REASON])


@contextmanager
def reporting() -> Iterator[Callable[[Made], None]]:
    """Yield who to tell what was made: stdout, and the parent's Dagster run where there is one.

    Errors must end inside of it: Pipes would tell the parent their text.
    """
    if PIPES not in os.environ:
        yield _print
        return
    from dagster_pipes import open_dagster_pipes  # one file of its own, without the rest of Dagster

    with open_dagster_pipes() as pipes:

        def both(made: Made) -> None:
            pipes.report_custom_message(asdict(made))
            _print(made)

        yield both


def _print(made: Made) -> None:
    print(json.dumps(asdict(made), sort_keys=True), flush=True)


def _stages() -> Progress:
    """Progress as a line on stderr for each stage, for CloudWatch."""
    seen: list[str] = []

    def tell(stage: str, _: float) -> None:
        if stage not in seen:
            seen.append(stage)
            print(f"matching.train: {stage}", file=sys.stderr, flush=True)

    return tell


def _asked(given: argparse.Namespace) -> tuple[str, FitConfig]:
    """The step and its configuration: from the hyperparameters, and from the command line, which counts more."""
    path = given.root / "input" / "config" / "hyperparameters.json"
    settings: dict[str, Any] = {}
    if path.is_file():
        try:
            settings = dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError) as problem:
            raise InputError("no JSON object", file=str(path)) from problem
    for pair in given.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"{pair!r} is not NAME=VALUE", column="--set")
        settings[name] = value
    step = given.step or settings.get("step", "bundle")
    return step, config_of({name: value for name, value in settings.items() if name != "step"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step as the command line and the files below `--root` say, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m matching.train", description="Run one step of training.")
    parser.add_argument("command", nargs="?", choices=["train"], help="what SageMaker says when it starts a container")
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"))
    parser.add_argument("--step", choices=sorted(STEPS))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of FitConfig")
    parser.add_argument("--input", type=Path, help="folder of tables (default ROOT/input/data)")
    parser.add_argument("--output", type=Path, help="where the result goes (default ROOT/model)")
    given = parser.parse_args(arguments)
    with reporting() as report, Ending(given.root) as ending:
        step, config = _asked(given)
        inputs, output = given.input or given.root / "input" / "data", given.output or given.root / "model"
        report(run(step, inputs, config, output, _stages()))
    return ending.code


def _stop(_: int, __: FrameType | None) -> None:
    """SIGTERM as an orderly end: as process 1 of a container Python would not hear it otherwise."""
    sys.exit(STOPPED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
