"""Reason codes: the catalogue (`reasons.yaml`), and the columns of decisions that tell them.

A reason is {code, direction, contribution, evidence}: direction `supports`, `against` or `neutral`, contribution in
log-odds, evidence the words or values that it rests on (`matching.evidence`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.explanation import GROUPS, RESIDUAL, Told
from matching.features import FEATURES

CATALOGUE = Path(__file__).with_name("reasons.yaml")
REASON = pl.Struct({"code": pl.String, "direction": pl.String, "contribution": pl.Float64, "evidence": pl.String})
DIFFERENCE = pl.Struct({"code": pl.String, "difference": pl.Float64})
SIDES = ("supports", "against", "agrees", "differs", "silent")  # in the order of their numbers in reason_kernels
DIRECTIONS = np.array(["supports", "against", "neutral"], object)


@lru_cache(maxsize=4)
def catalogue(path: Path = CATALOGUE) -> dict[str, Any]:
    """The catalogue as it stands in the file."""
    import yaml

    known: dict[str, Any] = yaml.load(path.read_text(), yaml.CSafeLoader)  # in C: start-up waits for it
    missing = set(GROUPS) ^ set(known["groups"])
    if missing:
        raise ValueError(f"{path.name} and the features do not have the same groups: {sorted(missing)}")
    return known


@lru_cache(maxsize=1)
def entries() -> dict[str, dict[str, str]]:
    """Code to its entry (code, title, text), of all codes there are."""
    known = catalogue()
    sides = [group[side] for group in known["groups"].values() for side in SIDES if side in group]
    return {e["code"]: e for e in [known["residual"], *sides]} | {
        c: {"code": c, **e} for c, e in known["findings"].items()
    }


def title_of(code: str) -> str:
    """The code in words."""
    return entries()[code]["title"]


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.object_], NDArray[np.bool_], NDArray[np.int64], NDArray[np.float32]]:
    """By group: the code of each side (one that it lacks is empty), which it has, its features' columns, the least.

    object and bool [groups + 1, sides]; int64 [groups, most features], the first again where there are fewer; float32
    [groups].
    """
    groups = [catalogue()["groups"][g] for g in GROUPS]
    codes = [[g[side]["code"] if side in g else "" for side in SIDES] for g in groups]
    codes.append([catalogue()["residual"]["code"]] * len(SIDES))
    columns = [[i for i, f in enumerate(FEATURES) if f.reason_group == g] for g in GROUPS]
    most = max(map(len, columns))
    return (
        np.array(codes, object),
        np.array(codes) != "",
        np.array([c + c[:1] * (most - len(c)) for c in columns]),
        np.array([g.get("least", 0.0) for g in groups], np.float32),
    )


def codes_of(told: Told, features: NDArray[np.float32]) -> list[str]:
    """The code of each told group that is true of its pair; see the head of the catalogue.

    features: float32 [rows, features] of the pairs that are told of.
    """
    from matching.reason_kernels import sides

    codes, known, columns, least = _tables()
    side = np.empty(len(told.row), np.int64)
    sides(told.row, told.group, told.contribution, features, columns, least, known, side)
    found: list[str] = codes[told.group, side].tolist()
    return found


def reasons_column(
    told: Told, record: NDArray[np.int64], features: NDArray[np.float32], evidence: Sequence[str],
    findings: Mapping[str, NDArray[np.bool_]],
) -> pl.Series:  # fmt: skip
    """The reasons of n records, those of their pair and then findings: List(REASON) [n].

    record: int64 [rows], the record of each row that is told of; features as for `codes_of`; evidence: of each told
    group; findings: of which records (bool [n]) a code without contribution is true.
    """
    direction = np.where(told.contribution > 0, 0, 1)
    direction[told.group == RESIDUAL] = 2
    columns = {
        "code": codes_of(told, features),
        "direction": DIRECTIONS[direction].tolist(),
        "contribution": told.contribution.tolist(),
        "evidence": list(evidence),
    }
    owner = record[told.row]
    for code, true in findings.items():
        if len(found := np.flatnonzero(true)):
            owner = np.append(owner, found)
            for column, value in zip(columns.values(), (code, "neutral", 0.0, ""), strict=True):
                column.extend([value] * len(found))
    return _by_record("reasons", columns, REASON, owner, len(next(iter(findings.values()))))


def none_told(records: int) -> tuple[pl.Series, pl.Series]:
    """The columns of n records of which nothing is told."""
    reasons = pl.Series("reasons", [[]], dtype=pl.List(REASON))
    contrast = pl.Series("contrast", [[]], dtype=pl.List(DIFFERENCE))
    return reasons.new_from_index(0, records), contrast.new_from_index(0, records)


def contrast_column(told: Told, record: NDArray[np.int64], features: NDArray[np.float32], records: int) -> pl.Series:
    """What sets the chosen candidate apart from the runner-up, List(DIFFERENCE) [records]; see `reasons_column`."""
    columns = {"code": codes_of(told, features), "difference": told.contribution}
    return _by_record("contrast", columns, DIFFERENCE, record[told.row], records)


def _by_record(
    name: str, columns: Mapping[str, Any], kind: pl.Struct, owner: NDArray[np.int64], records: int
) -> pl.Series:
    """Columns as one list of structs for each record, in the order in which they come."""
    fields = [pl.Series(f.name, columns[f.name], dtype=f.dtype) for f in kind.fields]
    values = pl.DataFrame(fields).to_struct(name)
    if records == 1:
        return values.reshape((1, len(values))).cast(pl.List(kind))
    order = np.argsort(owner, kind="stable")
    stop = np.cumsum(np.bincount(owner, minlength=records))
    places = pl.int_ranges(pl.Series(np.r_[0, stop][:records]), pl.Series(stop), eager=True)
    return pl.select(pl.lit(values[order].implode()).list.gather(places).alias(name)).to_series()
