"""A virtual environment for each peer, made by uv from `peers/<peer>.txt` in a cache folder and kept for the next run.

Nothing of a peer enters the project's own lock. What pip's settings say about where packages come from is handed on to
uv, which does not read them, unless uv has a setting of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from matching.files import atomic_write, file_digest

PEERS = Path(__file__).parent / "peers"
BIN = Path(sys.executable).parent
# What pip calls a setting, and what uv does.
SETTINGS = {
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "cert": "SSL_CERT_FILE",
}


class NotInstalledError(Exception):
    """A peer that is not to be had on this machine; the text says why."""


def peer_python(peer: str, cache: Path) -> Path:
    """The interpreter of the peer's environment, which is made first where it is not there yet.

    Raises NotInstalledError when uv is missing or a package cannot be had.
    """
    requirements = PEERS / f"{peer}.txt"
    home = cache / f"{peer}-{file_digest(requirements)[:12]}"
    python = home / "bin" / "python"
    ready = home / "ready"  # written last, so an environment that was cut short is made again
    if not ready.exists():
        _uv("venv", "--clear", "--python", sys.executable, str(home))
        _uv("pip", "install", "--no-deps", "--python", str(python), "--requirement", str(requirements))
        atomic_write(ready, "")
    return python


def peer_version(peer: str) -> str:
    """The pinned version of the package that the peer is, as `name version`."""
    package = {"tfidf": "sparse-dot-topn"}.get(peer, peer)
    pins = (line.partition("==") for line in (PEERS / f"{peer}.txt").read_text().splitlines())
    return next(f"{name} {version}" for name, _, version in pins if name == package)


def _uv(*words: str) -> None:
    command = [str(BIN / "uv") if (BIN / "uv").exists() else "uv", *words, "--quiet"]
    try:
        done = subprocess.run(command, env=_index_settings() | os.environ, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise NotInstalledError("uv is not on this machine") from missing
    if done.returncode:
        raise NotInstalledError(" ".join(done.stderr.split())[:300])


def _index_settings() -> dict[str, str]:
    """pip's settings as uv's. Several indexes are one to pip; exact versions make that safe."""
    asked = [str(BIN / "python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    settings = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for line in listed.stdout.splitlines():  # of two lines for one setting the later counts, as with pip
        key, _, value = line.partition("=")
        if uv := SETTINGS.get(key.rpartition(".")[2]):
            parts = value.strip("'\"").replace("\\n", " ").split()
            settings[uv] = ("," if uv == "UV_FIND_LINKS" else " ").join(parts)
    return settings
