"""The command line: `matching <command>`.

A command is a module of `matching_assets.commands`: `add` declares its options, `run` does it and returns the exit
code, its docstring is its help.

Results go to stdout; notes and progress bars to stderr, bars only on a terminal and for what takes over two seconds.
Exit codes: 0 done; 1 it ran and the answer is no (no certificate, an endpoint that does not answer); 2 the input or the
call is wrong, with one line that says where and what to do; 130 stopped by Ctrl-C.

argparse, because it is there: `matching --help` loads neither Dagster nor polars and answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from matching_assets.commands import (
    ab,
    close,
    demo,
    dev,
    erase,
    evaluate,
    explain,
    fit,
    health,
    match,
    promote,
    reindex,
    rescore,
    review,
    rollback,
    serve,
    trace,
    update,
)

COMMANDS = (
    demo, fit, match, reindex, update, explain, serve, evaluate, review,
    trace, rescore, promote, ab, rollback, close, health, erase, dev,
)  # fmt: skip
WRONG_INPUT = 2
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(prog="matching", description="Match records of companies to a reference master.")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        about = (command.__doc__ or "").strip().partition("\n\n")
        own = commands.add_parser(
            command.__name__.rpartition(".")[2],
            help=about[0].rstrip("."),
            description=about[0],
            epilog=about[2],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add(own)
        own.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = parser().parse_args(arguments)

    from matching.bundle import BundleError
    from matching.records import InputError

    try:
        code: int = given.run(given)
    except (InputError, BundleError, OSError) as problem:
        sys.stdout.flush()
        print(f"matching: {problem}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("matching: stopped", file=sys.stderr)
        return INTERRUPTED
    return code
