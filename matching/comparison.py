"""A record beside its candidates, as a person compares them: which word stands for which, and attribute by attribute.

The words are paired by the alignment that the features are made of, so a person sees what the ranker saw. It quotes
names: for pages and terminals, never for logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from matching.evidence import Pairs
from matching.features import ATTRIBUTE_FEATURES, CANDIDATE_SCHEMA, pair_features, retrieve
from matching.records import ATTRIBUTES, IDENTIFIERS
from matching.retrieval.index import RetrievalIndex, variant_names
from matching.scoring import Scorer

LEFT_OVER = "left over"
SAME, DIFFERENT, NOT_COMPARED = "same", "different", "not compared"
MOST = 9


@dataclass(frozen=True)
class Words:
    """Words of the record and of the reference that stand for one another, and how; one side of the left-over is empty.

    kind: exact, abbreviation, spelling, joined, initials, or left over.
    """

    record: tuple[str, ...]
    reference: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class Attribute:
    """A column in which the reference has a value. verdict: same, different, or (a value is missing) not compared."""

    name: str
    record: str
    reference: str
    verdict: str


@dataclass(frozen=True)
class Candidate:
    """A reference beside the record. name: its title; read_as: the name that was compared, where it is an alias."""

    reference_id: str
    name: str
    read_as: str | None
    probability: float
    words: tuple[Words, ...]
    attributes: tuple[Attribute, ...]


def candidates_of(scorer: Scorer, record: pl.DataFrame, most: int = MOST) -> list[Candidate]:
    """The best `most` candidates of one record (a frame of one row), in the ranker's order."""
    ranked = scorer.score(record, reasons=False).candidates.head(most)
    found = retrieve(scorer.index, record)
    named = ranked.select("reference_id", probability="score").join(
        found, on="reference_id", how="inner", maintain_order="left"
    )
    if named.is_empty():
        return []
    verdicts = pair_features(scorer.index, record, named.sort("rank").select(*CANDIDATE_SCHEMA))
    same = named.select("reference_id").join(verdicts, on="reference_id", how="left", maintain_order="left")
    words = aligned(scorer.index, record, named["variant"].to_numpy())
    names = variant_names(scorer.index.master)[0].gather(named["variant"]).to_list()
    return [
        _candidate(scorer.index, record, row, words[i], names[i], same.row(i, named=True))
        for i, row in enumerate(named.iter_rows(named=True))
    ]


def aligned(index: RetrievalIndex, record: pl.DataFrame, variant: np.ndarray) -> list[tuple[Words, ...]]:
    """Which words of one record stand for which of each name (int32 [n], a number of the index), n alignments."""
    from matching.alignment import KINDS

    queries, n, a = index.queries(record["name"].to_list()), len(variant), index.arrays
    nothing = np.zeros((n, 0), np.float32)
    pairs = Pairs(index, queries, record, np.zeros(n, np.int32), variant.astype(np.int32), nothing)
    match, kind = pairs.alignment
    left, vocabulary = queries.table.words_of(0), index.vocabulary
    out = []
    for i, v in enumerate(variant.tolist()):
        tokens = a["name_tokens"][a["name_starts"][v] : a["name_starts"][v + 1]]
        right = [vocabulary.chars[vocabulary.starts[t] : vocabulary.starts[t + 1]].tobytes().decode() for t in tokens]
        kinds = [KINDS[k] for k in kind[i, 0, : len(left)]]
        out.append(grouped(left, right, match[i, 0].tolist(), match[i, 1].tolist(), kinds))
    return out


def grouped(
    left: Sequence[str],
    right: Sequence[str],
    partner: Sequence[int],
    other_partner: Sequence[int],
    kinds: Sequence[str],
) -> tuple[Words, ...]:
    """Words with their partners in the record's order; what is left over of the reference stands in its own place.

    partner, kinds: of each word of the record, the number of its (first) word of the reference (-1: none) and how;
    other_partner: the same the other way round. A joined word has several partners, each of which has it.
    """
    groups: list[tuple[float, Words]] = []
    told: set[int] = set()
    for i, word in enumerate(left):
        if i in told:
            continue
        if partner[i] < 0:
            groups.append((i, Words((word,), (), LEFT_OVER)))
            continue
        theirs = [j for j in range(len(right)) if j == partner[i] or other_partner[j] == i]
        ours = [k for k in range(len(left)) if k == i or partner[k] == partner[i]]
        told.update(ours)
        groups.append((i, Words(tuple(left[k] for k in ours), tuple(right[j] for j in theirs), kinds[i])))
    after = -0.5 if told else float(len(left))  # before the first that is paired, or where none is, after all
    for j, word in enumerate(right):
        if other_partner[j] >= 0:
            after = other_partner[j] + 0.5
        else:
            groups.append((after, Words((), (word,), LEFT_OVER)))
    return tuple(words for _, words in sorted(groups, key=lambda group: group[0]))


def _candidate(
    index: RetrievalIndex, record: pl.DataFrame, row: dict[str, object], words: tuple[Words, ...], read_as: str,
    features: dict[str, object],
) -> Candidate:  # fmt: skip
    reference = index.master.row(index.reference_number[str(row["reference_id"])], named=True)
    ours = record.row(0, named=True)
    verdict = {
        attribute: {1.0: SAME, -1.0: DIFFERENT}.get(float(str(features[feature.name])), NOT_COMPARED)
        for feature, attribute in zip(ATTRIBUTE_FEATURES, ATTRIBUTES, strict=True)
    }
    values = ((a, str(ours.get(a) or ""), str(reference.get(a) or "")) for a in (*ATTRIBUTES, *IDENTIFIERS))
    return Candidate(
        reference_id=str(row["reference_id"]),
        name=str(reference["name"]),
        read_as=None if read_as == reference["name"] else read_as,
        probability=float(str(row["probability"])),
        words=words,
        attributes=tuple(Attribute(a, o, t, verdict.get(a, NOT_COMPARED)) for a, o, t in values if t),
    )
