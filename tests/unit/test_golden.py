"""The golden set holds what is right today, spread over the strata, and tells every difference."""

import polars as pl
import pytest

from matching.golden import check_golden, golden_set


def run(n: int = 300) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Decisions, labels, slices: one third a band; every tenth match is wrong and every tenth refusal too."""
    ids = [f"r{i:03}" for i in range(n)]
    bands = [("match", "review", "no_match")[i % 3] for i in range(n)]
    gold = [None if (band == "no_match") != (i % 30 < 3) else f"R{i}" for i, band in enumerate(bands)]
    named = [f"R{i}" for i in range(n)]
    made = pl.DataFrame({"record_id": ids, "reference_id": named, "probability": 0.5, "decision": bands})
    known = pl.DataFrame({"record_id": ids, "reference_id": gold})
    return made, known, pl.DataFrame({"record_id": ids, "source": ["often" if i % 7 else "seldom" for i in range(n)]})


def test_it_has_as_many_records_as_asked_for_spread_over_the_bands() -> None:
    made, known, _ = run()
    golden = golden_set(made, known, n=60)
    assert golden.height == 60
    assert min(golden["decision"].value_counts()["count"]) >= 14


def test_it_is_spread_over_slices_too() -> None:
    made, known, slices = run()
    chosen = golden_set(made, known, n=60, slices=slices).join(slices, on="record_id")
    assert (chosen["source"] == "seldom").sum() > 20


def test_it_holds_no_decision_that_its_label_contradicts() -> None:
    made, known, _ = run()
    golden = golden_set(made, known, n=300).join(known.rename({"reference_id": "gold"}), on="record_id")
    matches, refusals = (golden.filter(pl.col("decision") == band) for band in ("match", "no_match"))
    assert matches["gold"].null_count() == 0
    assert refusals["gold"].null_count() == refusals.height > 0


def test_the_order_of_rows_does_not_matter() -> None:
    made, known, slices = run()
    shuffled = golden_set(made.reverse(), known.sample(fraction=1, shuffle=True, seed=1), n=60, slices=slices.reverse())
    assert shuffled.equals(golden_set(made, known, n=60, slices=slices))


def test_one_record_more_moves_few_others() -> None:
    made, known, _ = run()
    before, after = golden_set(made[:-1], known, n=60), golden_set(made, known, n=60)
    assert len(set(before["record_id"]) - set(after["record_id"])) <= 1


def test_another_seed_chooses_others() -> None:
    made, known, _ = run()
    assert not golden_set(made, known, n=60, seed=1).equals(golden_set(made, known, n=60, seed=2))


def test_the_same_decisions_differ_in_nothing() -> None:
    made, known, _ = run()
    assert check_golden(golden_set(made, known), made) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (pl.lit("review").alias("decision"), "r: match expected, review decided"),
        (pl.lit("R2").alias("reference_id"), "r: R1 expected, R2 matched"),
    ],
)
def test_a_changed_decision_is_told(change: pl.Expr, sentence: str) -> None:
    golden = pl.DataFrame({"record_id": ["r"], "reference_id": ["R1"], "decision": ["match"]})
    assert check_golden(golden, golden.with_columns(change)) == [sentence]


def test_a_record_that_is_no_longer_decided_is_told() -> None:
    golden = pl.DataFrame({"record_id": ["r"], "reference_id": ["R1"], "decision": ["match"]})
    assert check_golden(golden, golden.clear()) == ["r: match expected, but it was not decided"]


def test_another_candidate_under_review_is_no_difference() -> None:
    golden = pl.DataFrame({"record_id": ["r"], "reference_id": ["R1"], "decision": ["review"]})
    assert check_golden(golden, golden.with_columns(reference_id=pl.lit("R2"))) == []
