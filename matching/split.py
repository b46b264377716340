"""Which entity is learnt from and which is held out, decided by a hash of the entity's key.

Never by record: one entity has many records, and a record seen in training would vouch for its siblings in the test.
Never by order or by a random generator: with a hash, adding or removing records moves no other one, so an entity that
is held out stays so for every later version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.records import InputError

KEY_COLUMNS = ("entity_key", "reference_id", "record_id")


def entity_keys(labels: pl.DataFrame) -> pl.Series:
    """The entity of each label, String [n]: its `entity_key`, else its `reference_id`, else (no match) its `record_id`.

    Raises InputError when the labels have none of the three columns.
    """
    given = [pl.col(c).cast(pl.String) for c in KEY_COLUMNS if c in labels.columns]
    if not given:
        raise InputError("no column tells the entity", file="labels", column="entity_key", remedy="Add reference_id.")
    filled = [pl.when(c.str.strip_chars() != "").then(c) for c in given]
    return labels.select(pl.coalesce(filled).alias("entity_key")).to_series()


def fold_of(keys: pl.Series, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each key, int64 [n] in 0..folds-1: sha256 of (seed, key)."""
    if folds < 2:
        raise ValueError(f"folds must be at least 2, not {folds}")
    return (hash_keys(keys, f"fold {seed}") % np.uint64(folds)).astype(np.int64)


def is_held_out(keys: pl.Series, share: float, seed: int) -> NDArray[np.bool_]:
    """Whether each key is held out, bool [n]; about `share` of the keys are, independently of their folds.

    A larger share keeps all that a smaller one held out.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1, not {share}")
    return hash_keys(keys, f"held out {seed}") < np.uint64(int(share * 2**64))


def hash_keys(keys: pl.Series, purpose: str) -> NDArray[np.uint64]:
    """The first eight bytes of sha256(purpose, key), uint64 [n]; each distinct key is hashed once."""
    if keys.null_count():
        row = int(keys.is_null().arg_max() or 0) + 1
        raise InputError("a label without an entity", file="labels", row=row, remedy="Give it a record_id.")
    distinct = keys.unique()
    digests = pl.Series(list(_digests(distinct, purpose)), dtype=pl.UInt64)
    return keys.replace_strict(distinct, digests, return_dtype=pl.UInt64).to_numpy()


def _digests(keys: Iterable[str], purpose: str) -> Iterable[int]:
    for key in keys:
        yield int.from_bytes(hashlib.sha256(f"{purpose}\0{key}".encode()).digest()[:8], "big")
