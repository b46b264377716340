"""A record beside its candidates."""

import polars as pl

from matching.comparison import LEFT_OVER, Words, aligned, candidates_of, grouped
from matching.master import build_reference_master
from matching.retrieval.index import RetrievalIndex
from matching.scoring import Scorer


def words_of(record: str, reference: str) -> tuple[Words, ...]:
    master = build_reference_master(pl.DataFrame({"reference_id": ["A"], "name": [reference]}))
    (found,) = aligned(RetrievalIndex.build(master, None), pl.DataFrame({"name": [record]}), pl.Series([0]).to_numpy())
    return found


def test_each_word_stands_beside_the_one_it_is_taken_for() -> None:
    assert words_of("Zenyth Therapeu Gold", "Zenith Copper Therapeutics") == (
        Words(("zenyth",), ("zenith",), "spelling"),
        Words((), ("copper",), LEFT_OVER),
        Words(("therapeu",), ("therapeutics",), "abbreviation"),
        Words(("gold",), (), LEFT_OVER),
    )


def test_initials_stand_beside_all_their_words() -> None:
    (only,) = words_of("IBM", "International Business Machines")
    assert only == Words(("ibm",), ("international", "business", "machines"), "initials")


def test_words_that_were_joined_stand_together_on_either_side() -> None:
    assert words_of("Northwest", "North West")[0] == Words(("northwest",), ("north", "west"), "joined")
    assert words_of("North West", "Northwest")[0] == Words(("north", "west"), ("northwest",), "joined")


def test_no_word_is_lost_or_told_twice() -> None:
    groups = grouped(["a", "b", "c"], ["x", "y", "z"], [1, -1, 0], [2, 0, -1], ["exact", "none", "spelling"])
    assert sorted(w for g in groups for w in g.record) == ["a", "b", "c"]
    assert sorted(w for g in groups for w in g.reference) == ["x", "y", "z"]


def test_the_first_candidate_is_the_decision(small_scorer: Scorer, small_frames) -> None:
    record = small_frames.records.head(1)
    decision = small_scorer.score(record, reasons=False).decisions.row(0, named=True)
    found = candidates_of(small_scorer, record)
    assert (found[0].reference_id, found[0].probability) == (decision["reference_id"], decision["probability"])
    assert found[1].reference_id == decision["runner_up_id"]
    assert len(found) == 9


def test_attributes_say_whether_they_were_found_the_same(small_scorer: Scorer, small_frames) -> None:
    record = small_frames.records.filter(pl.col("country").is_not_null()).head(1)
    (country,) = (a for a in candidates_of(small_scorer, record)[0].attributes if a.name == "country")
    assert (country.verdict, country.record) == ("same", record["country"].item())


def test_a_candidate_that_was_found_by_an_alias_says_by_which(small_scorer: Scorer) -> None:
    record = pl.DataFrame({"record_id": ["r"], "name": ["Allen Aircraft Radio Inc"]})
    best = candidates_of(small_scorer, record, most=1)[0]
    assert (best.reference_id, best.read_as) == ("CIK0000001750", "Allen Aircraft Radio Inc")
