"""What was read before is taken from there, and comes out as if it were read anew."""

from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from matching.name_reader import NameReader, places, rows_of
from matching.vocabulary import NameTable, Vocabulary

NAMES = pl.Series(
    [
        "Zenith Copper plc",
        "Northolt AG Class B",
        "",
        "Copper Zenith GmbH",
        "Zürcher Übersee AG",
        "Zenith Copper plc",
        None,
    ]
)


def parts(table: NameTable) -> list[object]:
    """All that a table holds, with the types of its arrays."""
    held = []
    for value in (getattr(table, f.name) for f in fields(table)):
        arrays = [value.chars, value.starts] if isinstance(value, Vocabulary) else [value]
        held += [(a.dtype, a.tolist()) if isinstance(a, np.ndarray) else a for a in arrays]
    return held


@pytest.mark.parametrize("before", [[], [0], [3, 0, 3], [6, 5, 4, 3, 2, 1, 0]])
@pytest.mark.parametrize("asked", [[0, 1, 2, 3, 4, 5, 6], [5, 3], [2], []])
def test_a_known_name_comes_out_as_if_it_were_read_anew(before: list[int], asked: list[int]) -> None:
    reader = NameReader()
    reader.read(NAMES.gather(before))
    assert parts(reader.read(NAMES.gather(asked))) == parts(NameTable.of(NAMES.gather(asked)))


def test_a_known_name_is_not_read_again(monkeypatch) -> None:
    reader = NameReader()
    reader.read(NAMES)
    monkeypatch.setattr(NameTable, "of", lambda names: pytest.fail(f"read again: {names}"))
    assert len(reader.read(NAMES.reverse())) == len(NAMES)


def test_a_name_stands_where_it_first_stood() -> None:
    assert places(NAMES, NAMES).tolist() == [0, 1, 2, 3, 4, 0, 6]
    assert places(NAMES, NAMES.head(0)).tolist() == [-1] * len(NAMES)


def test_rows_of_lists_are_found_in_the_order_asked_for() -> None:
    where, starts = rows_of(np.array([0, 2, 2, 5]), np.array([2, 0, 1]))
    assert (where.tolist(), starts.tolist()) == ([2, 3, 4, 0, 1], [0, 3, 5, 5])
