"""The options that commands share, and what may be written in them. A wrong value ends the call with exit code 2."""

from __future__ import annotations

import argparse
import socket
from datetime import date
from pathlib import Path

TABLE = "CSV or Parquet, a local path or s3://"


def share(text: str) -> float:
    """A number above 0 and below 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below 1")
    return value


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def port(text: str) -> int:
    """A TCP port."""
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return value


def day(text: str) -> str:
    """A day, YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text} is not a day: write YYYY-MM-DD") from problem


def folder(text: str) -> Path:
    """A folder on this machine: bundles are memory-mapped, so they are not read from s3://."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text} is not a local folder; copy the bundle here first")
    return Path(text)


def new_folder(text: str) -> Path:
    """A folder that is not there yet: a bundle never changes."""
    path = folder(text)
    if path.exists():
        raise argparse.ArgumentTypeError(f"{text} exists, and a bundle never changes; name a new folder")
    return path


def require_free(host: str, number: int) -> None:
    """Raise InputError when nothing can listen on that port, before a server says so in a traceback."""
    from matching.records import InputError

    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError as problem:
            remedy = "Take another with --port."
            raise InputError(f"cannot listen on {host}:{number} ({problem.strerror})", remedy=remedy) from problem


def add_home(parser: argparse.ArgumentParser) -> None:
    """`--home DIR`, the state folder."""
    parser.add_argument("--home", metavar="DIR", type=folder, help="state folder (default MATCHING_HOME, or .matching)")


def state_of(home: Path | None) -> Path:
    """The state folder that is meant. Raises InputError when nothing has run there, before anything is made in it."""
    from matching.records import InputError
    from resources.environment import state_folder

    found = state_folder(home)
    if not (found / "dagster").is_dir():
        remedy = "Name yours with --home or MATCHING_HOME; `matching demo` makes one."
        raise InputError("this is no state folder", file=str(found), remedy=remedy)
    return found


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """`--bundle DIR`, one that was made before."""
    parser.add_argument("--bundle", metavar="DIR", type=folder, required=True, help="a bundle that `matching fit` made")


def add_reference(parser: argparse.ArgumentParser) -> None:
    """`--reference F` and `--aliases F`."""
    parser.add_argument("--reference", metavar="F", required=True, help=f"reference_id, name, ...: {TABLE}")
    parser.add_argument("--aliases", metavar="F", help="reference_id, alias, asof: other and earlier names")
