"""The bundle: one immutable, hashed folder with all that scoring needs. Nothing in it is executable or pickled.

    manifest.json            sha256 of every other file, versions, seeds, metrics, certificate
    ranker.ubj ranker.json   the forest and its feature names
    encoder.safetensors encoder.json
    index/*.npy index/reference.parquet index/index.json
    calibration.json policy.json reasons.yaml
    golden.parquet           records whose decisions must not change unnoticed
    telemetry.parquet        what scoring looked like in training: the reference of drift

Its version is the sha256 of the manifest, so a version names the bytes of everything.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from matching.calibration import Calibration
from matching.files import atomic_folder, folder_files, write_json
from matching.policy import Policy
from matching.ranker import Ranker
from matching.reasons import CATALOGUE
from matching.records import read_own
from matching.retrieval.encoder import Encoder
from matching.retrieval.index import RetrievalIndex

MANIFEST = "manifest.json"
FORMAT = 3  # counts up when code can no longer read what an earlier one wrote


class BundleError(RuntimeError):
    """A bundle that must not be used: a file is missing, torn, altered or not listed."""


@dataclass(frozen=True)
class Manifest:
    """What is known about a bundle. `facts`: data and code versions, seeds, lock hash, metrics, certificate."""

    version: str
    files: dict[str, str]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of."""

    index: RetrievalIndex
    encoder: Encoder
    ranker: Ranker
    calibration: Calibration
    policy: Policy
    golden: pl.DataFrame
    telemetry: pl.DataFrame


def write_bundle(parts: Parts, facts: dict[str, Any], folder: Path) -> Manifest:
    """Write a bundle to `folder`, whole or not at all.

    The same parts and facts give the same bytes and so the same version.
    """
    with atomic_folder(folder) as draft:
        parts.index.save(draft / "index")
        parts.encoder.save(draft)
        parts.ranker.save(draft)
        write_json(draft / "calibration.json", parts.calibration.to_json())
        write_json(draft / "policy.json", parts.policy.to_json())
        shutil.copyfile(CATALOGUE, draft / "reasons.yaml")
        parts.golden.write_parquet(draft / "golden.parquet")
        parts.telemetry.write_parquet(draft / "telemetry.parquet")
        write_json(draft / MANIFEST, {"format": FORMAT, "files": folder_files(draft), "facts": facts})
    return read_manifest(folder)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest without checking the files. Raises BundleError when there is none or it cannot be read."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} has no {MANIFEST}: it is not a bundle")
    data = path.read_bytes()
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise BundleError(f"{path} has format {content['format']}, this code reads format {FORMAT}")
        return Manifest(hashlib.sha256(data).hexdigest()[:16], content["files"], content["facts"])
    except (ValueError, KeyError, TypeError) as problem:
        raise BundleError(f"{path} cannot be read: {problem}") from problem


def verify_bundle(folder: Path) -> Manifest:
    """Check every file against the manifest before any of them is parsed.

    Raises BundleError that names the files which are missing, altered, or not listed.
    """
    manifest = read_manifest(folder)
    found = folder_files(folder)
    found.pop(MANIFEST, None)
    wrong = sorted(name for name in found.keys() | manifest.files.keys() if found.get(name) != manifest.files.get(name))
    if wrong:
        raise BundleError(f"{folder} is torn or altered: {', '.join(wrong[:5])}. Fetch it again from the object store.")
    return manifest


def load_parts(folder: Path) -> Parts:
    """The parts of a verified bundle, index arrays memory-mapped."""
    encoder = Encoder.load(folder)
    return Parts(
        index=RetrievalIndex.load(folder / "index", encoder),
        encoder=encoder,
        ranker=Ranker.load(folder),
        calibration=Calibration.from_json(json.loads((folder / "calibration.json").read_text())),
        policy=Policy.from_json(json.loads((folder / "policy.json").read_text())),
        golden=read_own(folder / "golden.parquet"),
        telemetry=read_own(folder / "telemetry.parquet"),
    )
