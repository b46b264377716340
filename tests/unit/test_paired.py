"""Challenger against champion on the same records: entities are the units, and both must have decided the same."""

import polars as pl
import pytest

from matching.paired import compare_pairs, told

LABELS = pl.DataFrame(
    {"record_id": ["a1", "a2", "b1", "c1", "n1"], "reference_id": ["A", "A", "B", "C", None]},
    schema={"record_id": pl.String, "reference_id": pl.String},
)


def decisions(**named: str) -> pl.DataFrame:
    """Each record with the reference that is named for it; a leading * is a match, all else is in review."""
    rows = [(r, n.lstrip("*") or None, 0.9, "match" if n.startswith("*") else "review") for r, n in named.items()]
    columns = {"record_id": pl.String, "reference_id": pl.String, "probability": pl.Float64, "decision": pl.String}
    return pl.DataFrame(rows, schema=columns, orient="row")


CHAMPION = decisions(a1="*A", a2="X", b1="X", c1="C", n1="Z")


def test_an_entity_counts_once_however_many_of_its_records_changed() -> None:
    found = compare_pairs(decisions(a1="A", a2="A", b1="B", c1="X", n1="Z"), CHAMPION, LABELS)["top1"]
    assert (found["entities"], found["gained"], found["lost"]) == (3, 2, 1)
    assert found["p_value"] == 1.0


def test_an_entity_that_wins_one_record_and_loses_another_is_unchanged() -> None:
    found = compare_pairs(decisions(a1="X", a2="A", b1="X", c1="C", n1="Z"), CHAMPION, LABELS)["top1"]
    assert (found["gained"], found["lost"]) == (0, 0)


def test_only_right_automatic_matches_count_as_such() -> None:
    found = compare_pairs(decisions(a1="A", a2="X", b1="*X", c1="*C", n1="*Z"), CHAMPION, LABELS)["matches"]
    assert (found["entities"], found["gained"], found["lost"]) == (4, 1, 1)


@pytest.mark.parametrize(("changed", "p"), [(5, 2 / 32), (8, 2 / 256)])
def test_the_p_value_is_that_of_a_fair_coin(changed: int, p: float) -> None:
    ids = [str(i) for i in range(changed)]
    labels = pl.DataFrame({"record_id": ids, "reference_id": ids})
    right, wrong = decisions(**{i: i for i in ids}), decisions(**{i: f"not {i}" for i in ids})
    assert compare_pairs(right, wrong, labels)["top1"]["p_value"] == pytest.approx(p)


def test_it_is_told_in_sentences_with_the_counts() -> None:
    said = told(compare_pairs(decisions(a1="A", a2="A", b1="B", c1="X", n1="Z"), CHAMPION, LABELS))
    assert "On the same 3 held-out entities, the best candidate is right more often for 2 and less often for 1" in said
    assert "p = 1" in said
