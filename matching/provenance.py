"""Which code made something: package versions, the hash of the lock, the commit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("matching-assets", "numpy", "numba", "polars", "torch", "xgboost", "rigour")
COMMIT = "MATCHING_COMMIT"  # set in a container when it is built
LOCK = Path(__file__).parent.parent / "requirements.lock"


@lru_cache(maxsize=1)
def code_facts() -> dict[str, str]:
    """Versions of what decides the bytes, the lock's sha256 and the git commit, each where it is known."""
    facts = {}
    for package in PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if LOCK.is_file():
        facts["lock_sha256"] = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if commit := os.environ.get(COMMIT) or _checked_out():
        facts["commit"] = commit
    return facts


def _checked_out() -> str:
    """The commit of the checkout, or nothing where there is no git: a container has none."""
    if shutil.which("git") is None:
        return ""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=LOCK.parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""
