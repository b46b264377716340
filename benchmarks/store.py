"""What each part found, kept as JSON, so that the page can be built from parts that ran at different times."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from matching.files import write_json

ROOT = Path(__file__).parent.parent
PARTS = ("accuracy", "crossval", "peers", "scale", "certificate")


def keep(scratch: Path, part: str, found: dict[str, Any]) -> None:
    """Keep what a part found, beside the machine and the commit that it was found with."""
    write_json(scratch / "results" / f"{part}.json", {"machine": machine(), "commit": commit(), "found": found})


def kept(scratch: Path) -> dict[str, dict[str, Any]]:
    """What is there of each part."""
    files = {part: scratch / "results" / f"{part}.json" for part in PARTS}
    return {part: json.loads(file.read_text()) for part, file in files.items() if file.exists()}


def machine() -> dict[str, Any]:
    """The size of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cores": os.cpu_count(), "memory_gib": round(memory), "processor": _processor()}


def commit() -> str:
    """The commit of this checkout, or `unknown`."""
    told = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def _processor() -> str:
    """Its model name where Linux tells it, else the architecture."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
