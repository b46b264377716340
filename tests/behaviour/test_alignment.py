"""Which word stands for which: the evidence that a reviewer reads, and what most features are made of."""

import polars as pl
import pytest

from matching.master import build_reference_master
from matching.reasons import Aligned, align_pair, reference_words
from matching.retrieval.index import RetrievalIndex

from .conftest import Matcher
from .mutations import left_over_words_belong_together, only_equal_words_align, only_the_record_may_err


def aligned(records: list[str], references: list[str]) -> list[Aligned]:
    """Each record aligned with the reference in its place."""
    ids = [f"{i:05}" for i in range(len(references))]
    master = build_reference_master(pl.DataFrame({"reference_id": ids, "name": references}))
    index = RetrievalIndex.build(master, None)
    queries, words = index.queries(records), reference_words(index)
    return [align_pair(index, queries, i, i, words) for i in range(len(records))]


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
