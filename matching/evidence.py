"""Evidence: the words or values of a pair that a reason rests on, as text.

It quotes the record and the reference, so it belongs in decision tables and never in logs. Texts are made for many
pairs at once, and only those that are told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.explanation import GROUPS
from matching.features import ATTRIBUTE_FEATURES, FEATURE_NAMES
from matching.priors import PRIOR_ATTRIBUTES
from matching.records import ATTRIBUTES
from matching.retrieval.index import Queries, RetrievalIndex
from matching.vocabulary import Vocabulary

_COLUMN = {name: i for i, name in enumerate(FEATURE_NAMES)}
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """m pairs of which something is told. record, variant: int [m], numbers; features: float32 [m, features].

    kinds: the columns of the reference that tell its kinds apart (`matching.priors`).
    """

    index: RetrievalIndex
    queries: Queries
    records: pl.DataFrame
    record: NDArray[np.int32]
    variant: NDArray[np.int32]
    features: NDArray[np.float32]
    kinds: Sequence[str] = ()

    @cached_property
    def alignment(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """For each word its partner (-1: none) and the kind of the pairing, as the features saw them.

        Both int32 [m, 2 (record, reference), words].
        """
        from matching.alignment import align_pairs
        from matching.names import MAX_TOKENS

        a, table = self.index.arrays, self.queries.table
        match, kind = (np.full((len(self.record), 2, MAX_TOKENS), -1, np.int32) for _ in range(2))
        align_pairs(
            self.record, self.variant,
            table.tokens, table.starts, table.vocabulary.chars, table.vocabulary.starts, self.queries.known,
            a["name_tokens"], a["name_starts"], a["word_chars"], a["word_starts"], match, kind,
        )  # fmt: skip
        return match, kind

    def take(self, rows: Rows) -> Pairs:
        """Some of the pairs."""
        return replace(self, record=self.record[rows], variant=self.variant[rows], features=self.features[rows])

    def values(self, rows: Rows, *features: str) -> list[list[float]]:
        """Values of features of some pairs, a list for each pair."""
        found: list[list[float]] = self.features[rows][:, [_COLUMN[f] for f in features]].tolist()
        return found


def evidence(pairs: Pairs, row: Rows, group: NDArray[np.int64]) -> list[str]:
    """The evidence for each told group (a number of GROUPS; beyond them there is none) of the pair in each row."""
    texts = [""] * len(row)
    what = _said_in_words()[group]
    if len(told := np.flatnonzero(what >= 0)):
        for place, text in zip(told.tolist(), _words(pairs, row[told], what[told]), strict=True):
            texts[place] = text
    places: dict[int, list[int]] = {}
    for place, number in enumerate(group.tolist()):
        if not texts[place] and number < len(GROUPS):
            places.setdefault(number, []).append(place)
    for number, left in places.items():
        if writer := WRITERS.get(GROUPS[number]):
            for place, text in zip(left, writer(pairs, row[left], GROUPS[number]), strict=True):
                texts[place] = text
    return texts


@lru_cache(maxsize=1)
def _said_in_words() -> NDArray[np.int64]:
    """For each group, and for none, what the compiled code tells of its words; -1 where it tells nothing."""
    from matching import evidence_kernels as kernels

    what = {
        "name_words": kernels.SHARED_AND_LEFT_OVER,
        "rare_words": kernels.RAREST,
        "unmatched_words": kernels.LEFT_OVER,
        "spelling": kernels.RESPELT,
        "abbreviation": kernels.SHORTENED,
    }
    return np.array([what.get(group, -1) for group in (*GROUPS, "")])


@lru_cache(maxsize=1)
def _kinds() -> Vocabulary:
    from matching.alignment import KINDS

    return Vocabulary.of(KINDS)


def _words(pairs: Pairs, rows: Rows, what: NDArray[np.int64]) -> list[str]:
    from matching import evidence_kernels as kernels

    a, table, kinds = pairs.index.arrays, pairs.queries.table, _kinds()
    ends, out = np.zeros(len(rows), np.int64), np.empty(64 * len(rows) + 256, np.uint8)
    told = (
        rows, what, pairs.record, pairs.variant, *pairs.alignment,
        table.tokens, table.starts, table.vocabulary.chars, table.vocabulary.starts,
        a["name_tokens"], a["name_starts"], a["word_chars"], a["word_starts"], a["word_idf"],
        kinds.chars, kinds.starts,
    )  # fmt: skip
    size = kernels.write_words(*told, out, ends)
    if size > len(out):
        out = np.empty(size, np.uint8)
        kernels.write_words(*told, out, ends)
    text, stops = out[:size].tobytes().decode(), ends.tolist()
    return [text[start:stop] for start, stop in zip([0, *stops[:-1]], stops, strict=True)]


def _spelling(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    return [f"letters {a:.2f}, trigrams {b:.2f}" for a, b in pairs.values(rows, "letters", "lexical")]


def _meaning(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    return [f"learned similarity {v:.2f}" for (v,) in pairs.values(rows, "embedding")]


def _lead(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    values = pairs.values(rows, "cover_lead", "lexical_lead")
    return [f"ahead by {words:+.2f} in words, {trigrams:+.2f} in trigrams" for words, trigrams in values]


def _uniqueness(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    values = pairs.values(rows, "namesakes", "rivals", "coverers")
    return [
        f"{n:.0f} namesakes, {r:.0f} other candidates with exactly these words, {c:.0f} with these and more"
        for n, r, c in values
    ]


def _name_length(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    return [f"{n:.0f} words against {m:.0f}" for n, m in pairs.values(rows, "record_words", "reference_words")]


def _origin(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    texts: list[list[str]] = [[] for _ in rows]
    for attribute in (a for a in PRIOR_ATTRIBUTES if a in pairs.records.columns):
        for text, value in zip(texts, _of_record(pairs, rows, attribute), strict=True):
            if value:
                text.append(f"{attribute}: {value}")
    return ["; ".join(text) for text in texts]


def _standing(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    texts: list[list[str]] = [[] for _ in rows]
    for kind in (k for k in pairs.kinds if k in pairs.index.master.columns):
        for text, value in zip(texts, _of_reference(pairs, rows, kind), strict=True):
            text.append(f"{kind}: {value or 'none'}")
    return ["; ".join(text) for text in texts]


def _fit(pairs: Pairs, rows: Rows, _: str) -> list[str]:
    texts: list[list[str]] = [[] for _ in rows]
    for attribute in (a for a in PRIOR_ATTRIBUTES if a in pairs.records.columns and a in pairs.index.master.columns):
        ours, theirs = _of_record(pairs, rows, attribute), _of_reference(pairs, rows, attribute)
        for text, o, t in zip(texts, ours, theirs, strict=True):
            if o:
                text.append(f"{attribute}: {o} with {t or 'none'}")
    return ["; ".join(text) for text in texts]


def _of_record(pairs: Pairs, rows: Rows, column: str) -> list[Any]:
    """What each pair's record has in a column."""
    values = pairs.records[column]
    return [values[i] for i in pairs.record[rows].tolist()]  # for a few it is faster than to gather them


def _of_reference(pairs: Pairs, rows: Rows, column: str) -> list[Any]:
    """What each pair's reference has in a column."""
    values = pairs.index.master[column]
    return [values[i] for i in pairs.index.arrays["variant_reference"][pairs.variant[rows]].tolist()]


def _attributes(pairs: Pairs, rows: Rows, group: str) -> list[str]:
    texts: list[list[str]] = [[] for _ in rows]
    for feature, attribute in zip(ATTRIBUTE_FEATURES, ATTRIBUTES, strict=True):
        if feature.reason_group == group:
            verdict = pairs.features[rows, _COLUMN[feature.name]]
            at = np.flatnonzero(verdict)
            if len(at):
                ours, theirs = _of_record(pairs, rows[at], attribute), _of_reference(pairs, rows[at], attribute)
                for i, v, o, t in zip(at.tolist(), verdict[at].tolist(), ours, theirs, strict=True):
                    texts[i].append(f"{attribute}: {o} {'=' if v > 0 else '/'} {t}")
    return ["; ".join(text) for text in texts]


# What stands in for words, or where compiled code has nothing to tell.
WRITERS: dict[str, Callable[[Pairs, Rows, str], list[str]]] = {
    "spelling": _spelling,
    "meaning": _meaning,
    "lead": _lead,
    "uniqueness": _uniqueness,
    "name_length": _name_length,
    "origin": _origin,
    "standing": _standing,
    "fit": _fit,
    **dict.fromkeys((f.reason_group for f in ATTRIBUTE_FEATURES), _attributes),
}
