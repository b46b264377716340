"""Evidence: the words and values of a pair, quoted as they are."""

import numpy as np
import polars as pl

from matching import alignment, evidence_kernels
from matching.evidence import WRITERS, Pairs, evidence
from matching.explanation import GROUPS, RESIDUAL
from matching.features import feature_matrix
from matching.master import build_reference_master
from matching.retrieval.index import RetrievalIndex

EVERY = np.arange(len(GROUPS))


def pairs_of(records: list[dict[str, str | None]], references: list[dict[str, str]]) -> Pairs:
    """Each record with the reference in its place."""
    ids = [f"{i:02}" for i in range(len(references))]
    reference = pl.DataFrame(references).with_columns(pl.Series("reference_id", ids))
    index = RetrievalIndex.build(build_reference_master(reference), None)
    frame = pl.DataFrame(records, infer_schema_length=None)
    queries = index.queries(frame["name"].to_list())
    each, similar = np.arange(len(records), dtype=np.int32), np.ones(len(records), np.float32)
    features = feature_matrix(index, queries, frame, each, each, similar, similar)
    return Pairs(index, queries, frame, each, each, features, ("status",))


def told(record: dict[str, str | None], reference: dict[str, str]) -> dict[str, str]:
    """All evidence of one pair by group."""
    texts = evidence(pairs_of([record], [reference]), np.zeros(len(GROUPS), np.int64), EVERY)
    return dict(zip(GROUPS, texts, strict=True))


def test_an_abbreviation_is_shown_beside_what_it_stands_for() -> None:
    found = told({"name": "Zenith Therapeu"}, {"name": "Zenith Therapeutics Inc"})
    assert found["abbreviation"] == "therapeu ~ therapeutics (abbreviation)"


def test_initials_are_shown_beside_all_their_words() -> None:
    found = told({"name": "IBM"}, {"name": "International Business Machines"})
    assert found["abbreviation"] == "ibm ~ international business machines (initials)"


def test_a_misspelt_word_is_shown_beside_the_right_one() -> None:
    assert told({"name": "Zenyth Copper"}, {"name": "Zenith Copper"})["spelling"] == "zenyth ~ zenith (spelling)"


def test_where_no_word_is_misspelt_the_likeness_of_the_letters_is_told() -> None:
    assert told({"name": "Zenith"}, {"name": "Zenith"})["spelling"] == "letters 1.00, trigrams 1.00"


def test_words_that_are_shared_and_words_that_are_left_over_are_quoted() -> None:
    found = told({"name": "Zenith Gold"}, {"name": "Zenith Copper Mining"})
    left = "only in the record: gold; only in the reference: copper mining"
    assert (found["name_words"], found["unmatched_words"]) == (f"shared: zenith; {left}", left)


def test_the_same_name_leaves_nothing_over() -> None:
    found = told({"name": "Zenith Copper"}, {"name": "Zenith Copper"})
    assert (found["name_words"], found["unmatched_words"]) == ("shared: zenith copper", "")


def test_a_word_that_comes_twice_is_quoted_once() -> None:
    assert told({"name": "Zenith Zenith"}, {"name": "Zenith Zenith"})["name_words"] == "shared: zenith"


def test_the_two_rarest_shared_words_are_told_the_rarest_first() -> None:
    names = ["Abc Bank Zenith", "Bank One", "Bank Two", "Abc Three"]
    pairs = pairs_of([{"name": n} for n in names], [{"name": n} for n in names])
    [text] = evidence(pairs, np.zeros(1, np.int64), np.array([GROUPS.index("rare_words")]))
    assert text == "zenith abc"


def test_values_are_shown_with_their_verdict() -> None:
    found = told(
        {"name": "Zenith", "country": "DE", "city": "Bonn", "currency": None},
        {"name": "Zenith", "country": "Germany", "city": "Kiel", "currency": "EUR"},
    )
    assert found["geography"] == "country: DE = Germany; city: Bonn / Kiel"
    assert found["listing"] == ""


def test_the_origin_of_the_record_is_quoted_where_it_is_known() -> None:
    assert told({"name": "Zenith", "country": "DE", "currency": None}, {"name": "Zenith"})["origin"] == "country: DE"
    assert told({"name": "Zenith"}, {"name": "Zenith"})["origin"] == ""


def test_numbers_are_told_as_numbers() -> None:
    found = told({"name": "Zenith Gold"}, {"name": "Zenith Gold"})
    assert found["meaning"] == "learned similarity 1.00"
    assert found["lead"] == "ahead by +1.00 in words, +1.00 in trigrams"
    assert found["name_length"] == "2 words against 2"
    assert found["uniqueness"] == "0 namesakes, 0 other candidates with exactly these words, 0 with these and more"


def test_the_residual_has_no_evidence() -> None:
    assert evidence(pairs_of([{"name": "a"}], [{"name": "a"}]), np.zeros(1, np.int64), np.array([RESIDUAL])) == [""]


def test_the_evidence_of_a_pair_is_the_same_alone_and_in_a_batch() -> None:
    names = ["Zenith Gold", "IBM", "Zenyth Therapeu", "North West Gas"]
    theirs = ["Zenith Copper Mining", "International Business Machines", "Zenith Therapeutics", "Northwest Gas"]
    pairs = pairs_of([{"name": n, "city": "Bonn"} for n in names], [{"name": n, "city": "Kiel"} for n in theirs])
    row, group = (a.ravel() for a in np.meshgrid(np.arange(len(names)), EVERY, indexing="ij"))
    batch = np.array(evidence(pairs, row, group)).reshape(len(names), len(GROUPS))
    for i in range(len(names)):
        alone = evidence(pairs.take(np.array([i])), np.zeros(len(GROUPS), np.int64), EVERY)
        assert alone == batch[i].tolist()
    assert len(set(batch.ravel())) > 20


def test_long_words_are_quoted_whole() -> None:
    long = "x" * 200
    texts = told({"name": f"{long} gold"}, {"name": f"{long} iron"})
    assert texts["name_words"] == f"shared: {long}; only in the record: gold; only in the reference: iron"


def test_the_writer_speaks_of_the_kinds_of_the_alignment() -> None:
    assert (evidence_kernels.EXACT, evidence_kernels.SPELLING) == (alignment.EXACT, alignment.SPELLING)


def test_only_groups_that_exist_have_evidence() -> None:
    assert set(WRITERS) <= set(GROUPS)


def test_the_kind_of_the_reference_is_quoted() -> None:
    assert told({"name": "Zenith"}, {"name": "Zenith", "status": "lister"})["standing"] == "status: lister"
    assert told({"name": "Zenith"}, {"name": "Zenith"})["standing"] == ""


def test_origins_that_are_compared_are_quoted_side_by_side() -> None:
    found = told({"name": "Zenith", "exchange": "FRA"}, {"name": "Zenith", "exchange": "NYSE"})
    assert found["fit"] == "exchange: FRA with NYSE"
    assert told({"name": "Zenith", "exchange": None}, {"name": "Zenith", "exchange": "NYSE"})["fit"] == ""
