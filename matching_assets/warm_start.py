"""What a training begins at: the encoder of the champion. The ranker is always trained afresh.

An encoder learns from titles and from entities of its own, the same in every training by hash, so the next one may go
on from its weights and has still seen nothing that is measured on or certified with. A ranker may not: its margins are
out of fold, and one that went on from the champion's would have seen every fold.

The same data give the same bytes, however often they are trained on: where nothing has changed since the champion was
trained, the training begins where the champion's began.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from matching.bundle import BundleError, read_manifest
from matching.files import folder_digest
from matching.fit_config import FitConfig
from matching.records import content_hash
from matching.training_steps import START
from resources.registry import Registry
from resources.store import MissingError, ObjectStore

OWN_ENTITIES = ("seed", "encoder_share", "holdout_share")
"""Settings that say which entities an encoder learns from: another of them, and its weights know other answers."""


def start_of(
    tables: Mapping[str, pl.DataFrame], config: FitConfig, registry: Registry, store: ObjectStore
) -> Path | None:
    """The folder of the encoder to begin at; None for a training from nothing.

    tables: reference_master, records, labels.
    """
    champion = registry.champion()
    if champion is None or "encoder" not in champion.lineage:
        return None
    try:
        facts = read_manifest(store.get_folder(champion.bundle_digest)).facts
        before = store.get_folder(champion.lineage["encoder"])
        if not _is_ours(facts["config"], config):
            return None
        if not _is_unchanged(facts, tables, config):
            return before
        began = began_at(before)
        return store.get_folder(began) if began else None
    except (BundleError, MissingError):
        return None  # of an earlier version, or not kept: what cannot be read is nothing to begin at


def began_at(encoder: Path) -> str | None:
    """The digest of the encoder that the one in this folder went on from; None: it was trained from nothing."""
    note = encoder / f"{START}.json"
    return json.loads(note.read_text())["encoder"] if note.exists() else None


def told(start: Path | None) -> str:
    """The encoder that was begun at, for the asset's page."""
    return f"encoder {folder_digest(start)[:16]}" if start else "nothing"


def _is_ours(before: Mapping[str, Any], config: FitConfig) -> bool:
    own = all(before[name] == getattr(config, name) for name in OWN_ENTITIES)
    return own and bool(before["encoder"]["dim"] == config.encoder.dim)


def _is_unchanged(facts: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], config: FitConfig) -> bool:
    learnt = {"reference": "reference_master", "records": "records", "labels": "labels"}
    same = all(facts["data"][name] == content_hash(tables[table]) for name, table in learnt.items())
    return same and bool(facts["config"] == json.loads(json.dumps(asdict(config))))
