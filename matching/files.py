"""Atomic writes and content digests.

A file or a folder appears whole or not at all: it is written beside its final place and renamed, so a process killed at
any point leaves the last good version readable. Digests are sha256, so that "the same bytes" can be said and checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20


def _sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` by way of a temporary file in the same folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with scratch.open("wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    _sync_folder(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON with sorted keys, so that equal values give equal bytes."""
    atomic_write(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to write into.

    It becomes `path` when the block ends without an error, and vanishes otherwise. An existing `path` is replaced: it
    is moved aside first and removed afterwards. A process that is killed between the two moves leaves the old folder
    beside `path`, as `.<name>.<id>.old`; who needs `path` itself at every moment writes to a new one and points to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    scratch.mkdir()
    try:
        yield scratch
        for item in scratch.rglob("*"):
            if item.is_file():
                with item.open("rb") as written:
                    os.fsync(written.fileno())
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.old")
        if path.exists():
            os.replace(path, aside)
        os.replace(scratch, path)
        _sync_folder(path.parent)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def file_digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def folder_files(folder: Path) -> dict[str, str]:
    """Relative path to sha256 of every file below `folder`, sorted by path."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): file_digest(p) for p in files}


def folder_digest(folder: Path) -> str:
    """sha256 over the sorted (relative path, sha256) pairs of a folder, in hex."""
    listing = "".join(f"{name}\0{digest}\n" for name, digest in folder_files(folder).items())
    return hashlib.sha256(listing.encode()).hexdigest()
