"""Names that are read once: what a reference has read already is taken from there when the next one is made.

Reading is most of the work of a master and of an index. The master and its index have the same titles, and a new
delivery of a reference has most of the names of the one before; a `NameReader` remembers, and gives what
`NameTable.of` would give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.vocabulary import NameTable, Vocabulary, known_as

Ints = NDArray[Any]


class NameReader:
    """Reads names. `texts` and `table`: names that were read before, in the same order."""

    def __init__(self, texts: pl.Series | None = None, table: NameTable | None = None) -> None:
        self._texts = pl.Series([], dtype=pl.String) if texts is None else texts
        self._table = NameTable.of([]) if table is None else table

    def read(self, names: pl.Series) -> NameTable:
        """The same table as `NameTable.of(names)`; an index keeps no flags, so names known from one have none."""
        place = places(names, self._texts)
        fresh = np.flatnonzero(place < 0)
        if len(fresh):
            place[fresh] = len(self._table) + np.arange(len(fresh))
            new = names.gather(fresh)
            self._table = _join(self._table, NameTable.of(new))
            self._texts = pl.concat([self._texts, new])
        return take(self._table, place)


def places(names: pl.Series, among: pl.Series) -> NDArray[np.int64]:
    """Where each name first stands in `among`, or -1. int64 [n]."""
    first = pl.DataFrame({"name": among}).with_row_index("place").unique("name", keep="first")
    found = pl.DataFrame({"name": names}).join(first, on="name", how="left", maintain_order="left", nulls_equal=True)
    return found["place"].cast(pl.Int64).fill_null(-1).to_numpy().copy()


def rows_of(starts: Ints, rows: Ints) -> tuple[Ints, NDArray[np.int64]]:
    """Of lists that lie one behind the other: where the elements of these rows are, and where the rows then start."""
    sizes = np.diff(starts)[rows]
    ends = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    return np.arange(ends[-1]) + np.repeat(starts[:-1][rows] - ends[:-1], sizes), ends


def _join(one: NameTable, other: NameTable) -> NameTable:
    """The names of one and then of the other."""
    number = known_as(other.vocabulary, one.vocabulary)
    new = np.flatnonzero(number < 0)
    number[new] = len(one.vocabulary) + np.arange(len(new))
    more = _words(other.vocabulary, new)
    chars = np.concatenate([one.vocabulary.chars, more.chars])
    starts = np.concatenate([one.vocabulary.starts, more.starts[1:] + one.vocabulary.starts[-1]])
    forms = [*one.forms, *(form for form in other.forms if form not in set(one.forms))]
    form = np.array([*(forms.index(form) for form in other.forms), -1], np.int32)
    return NameTable(
        Vocabulary(chars, starts.astype(np.int32)),
        np.concatenate([one.tokens, number[other.tokens]]).astype(np.int32),
        np.concatenate([one.starts, other.starts[1:] + one.starts[-1]]),
        np.concatenate([one.form, form[other.form]]),
        forms,
        np.concatenate([one.share_class, other.share_class]),
        np.concatenate([one.flags, other.flags]),
    )


def take(table: NameTable, rows: Ints) -> NameTable:
    """These names, numbered as `NameTable.of` does: words by first appearance, legal forms by the alphabet."""
    where, starts = rows_of(table.starts, rows)
    tokens = table.tokens[where]
    words = pl.Series(tokens).unique(maintain_order=True).to_numpy()
    number = np.empty(len(table.vocabulary), np.int32)
    number[words] = np.arange(len(words))
    form = table.form[rows]
    forms = sorted({table.forms[i] for i in np.unique(form[form >= 0])})
    kind = np.array([*(forms.index(text) if text in forms else -1 for text in table.forms), -1], np.int32)
    return NameTable(
        _words(table.vocabulary, words), number[tokens], starts, kind[form], forms,
        table.share_class[rows], table.flags[rows],
    )  # fmt: skip


def _words(vocabulary: Vocabulary, words: Ints) -> Vocabulary:
    where, starts = rows_of(vocabulary.starts, words)
    return Vocabulary(vocabulary.chars[where], starts.astype(np.int32))
