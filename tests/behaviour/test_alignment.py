"""Which word stands for which: the evidence that a reviewer reads, and what most features are made of."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from matching.alignment import KINDS
from matching.evidence import Pairs
from matching.master import build_reference_master
from matching.retrieval.index import RetrievalIndex
from matching.vocabulary import NameTable

from .conftest import Matcher
from .mutations import left_over_words_belong_together, only_equal_words_align, only_the_record_may_err


@dataclass(frozen=True)
class Aligned:
    """One pair in words. partners: (record word, reference word or words, kind); the others are left over."""

    partners: tuple[tuple[str, str, str], ...]
    record_only: tuple[str, ...]
    reference_only: tuple[str, ...]


def words(table: NameTable, name: int) -> list[str]:
    known = table.vocabulary.words()
    return [known[t] for t in table.tokens[table.starts[name] : table.starts[name + 1]]]


def aligned(records: list[str], references: list[str]) -> list[Aligned]:
    """Each record aligned with the reference in its place."""
    ids = [f"{i:05}" for i in range(len(references))]
    master = build_reference_master(pl.DataFrame({"reference_id": ids, "name": references}))
    index = RetrievalIndex.build(master, None)
    queries, each = index.queries(records), np.arange(len(records), dtype=np.int32)
    match, kind = Pairs(index, queries, pl.DataFrame(), each, each, np.zeros((0, 0), np.float32)).alignment
    theirs = index.queries(master["name"].to_list()).table
    return [in_words(words(queries.table, i), words(theirs, i), match[i], kind[i]) for i in each]


def in_words(ours: list[str], theirs: list[str], match: np.ndarray, kind: np.ndarray) -> Aligned:
    partners = {}
    for i, word in enumerate(ours):
        if match[0, i] >= 0:
            meant = [t for j, t in enumerate(theirs) if match[1, j] == i] or [theirs[match[0, i]]]
            partners[word, " ".join(meant)] = KINDS[kind[0, i]]
    return Aligned(
        tuple((ours, theirs, kind) for (ours, theirs), kind in partners.items()),
        tuple(word for i, word in enumerate(ours) if match[0, i] < 0),
        tuple(word for j, word in enumerate(theirs) if match[1, j] < 0),
    )


@pytest.mark.caught(by=only_equal_words_align)
@pytest.mark.parametrize(
    ("record", "reference", "word", "stands_for", "kind"),
    [
        ("SAREPTA THERAPEU", "Sarepta Therapeutics", "therapeu", "therapeutics", "abbreviation"),
        ("Boeing Hldgs", "Boeing Hldngs", "holdings", "hldngs", "abbreviation"),
        ("Boston Mtn", "Boston Mountain", "mtn", "mountain", "abbreviation"),
        ("Mircosoft", "Microsoft", "mircosoft", "microsoft", "spelling"),
        ("Berkshire Hathawya", "Berkshire Hathaway", "hathawya", "hathaway", "spelling"),
        ("JPMorganChase", "JPMorgan Chase", "jpmorganchase", "jpmorgan chase", "joined"),
        ("IBM", "International Business Machines", "ibm", "international business machines", "initials"),
        ("AMD Ireland", "Advanced Micro Devices Ireland", "amd", "advanced micro devices", "initials"),
    ],
)
def test_a_word_is_found_in_another_writing(record: str, reference: str, word: str, stands_for: str, kind: str) -> None:
    [pair] = aligned([record], [reference])
    assert (word, stands_for, kind) in pair.partners


@pytest.mark.caught(by=left_over_words_belong_together)
@pytest.mark.parametrize(
    ("record", "reference", "left_over"),
    [
        ("Trust 583", "Trust 584", ("583", "584")),
        ("Trust583", "Trust584", ("trust583", "trust584")),
        ("Income Fund II", "Income Fund III", ("2", "3")),
        ("First Energy", "First Capital", ("energy", "capital")),
        ("Nordic Bank", "Baltic Bank", ("nordic", "baltic")),
        ("Apple", "Applied Materials", ("apple", "applied materials")),
    ],
)
def test_a_near_word_with_another_meaning_is_left_over(record: str, reference: str, left_over: tuple[str, str]) -> None:
    [pair] = aligned([record], [reference])
    assert (" ".join(pair.record_only), " ".join(pair.reference_only)) == left_over


@pytest.mark.caught(by=only_the_record_may_err)
def test_the_alignment_is_the_same_from_either_side(matcher: Matcher) -> None:
    labels = matcher.frames["labels"].drop_nulls("reference_id").sort("record_id").gather_every(3)
    pairs = labels.join(matcher.frames["records"], on="record_id", maintain_order="left")
    pairs = pairs.join(matcher.frames["reference"], on="reference_id", maintain_order="left", suffix="_reference")
    ours, theirs = pairs["name"].to_list(), pairs["name_reference"].to_list()
    there = [{(r, w, kind) for r, s, kind in p.partners for w in s.split()} for p in aligned(ours, theirs)]
    back = [{(w, r, kind) for r, s, kind in p.partners for w in s.split()} for p in aligned(theirs, ours)]
    assert there == back
