"""Several names of one account are one decision, and names that disagree are never matched against each other."""

import polars as pl
import pytest

from matching.accounts import account_of, combine
from matching.reasons import REASON, entries
from matching.records import InputError

THRESHOLD = 0.9


def decided(*rows: tuple[str | None, float, str]) -> pl.DataFrame:
    """Decisions of names r0, r1, ...: the best candidate, its probability and band."""
    return pl.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(len(rows))],
            "reference_id": pl.Series([row[0] for row in rows], dtype=pl.String),
            "probability": [row[1] for row in rows],
            "decision": [row[2] for row in rows],
            "reasons": pl.Series([[]] * len(rows), dtype=pl.List(REASON)),
            "bundle_version": "v",
        }
    )


def account(*rows: tuple[str | None, float, str], threshold: float | None = THRESHOLD) -> dict:
    [one] = combine(decided(*rows), pl.Series(["a"] * len(rows)), threshold).to_dicts()
    return one


def codes(one: dict) -> list[str]:
    return [reason["code"] for reason in one["reasons"]]


@pytest.mark.parametrize("band", ["match", "review", "no_match"])
def test_an_account_of_one_name_is_decided_as_its_name(band: str) -> None:
    one = account(("A", 0.95, band))
    assert (one["reference_id"], one["decision"], one["record_id"]) == ("A", band, "r0")
    assert one["probability"] == pytest.approx(0.95)


def test_the_surest_name_speaks_and_agreement_does_not_make_it_surer() -> None:
    one = account(("A", 0.3, "review"), ("A", 0.99, "match"))
    assert (one["record_id"], one["decision"], one["agreeing"]) == ("r1", "match", 2)
    assert one["probability"] == pytest.approx(0.99)
    assert codes(one) == []


def test_two_sure_names_of_two_entities_are_reviewed() -> None:
    one = account(("A", 0.999, "match"), ("B", 0.95, "match"))
    assert (one["reference_id"], one["decision"], one["rival_id"]) == ("A", "review", "B")
    assert codes(one) == ["NAMES_DISAGREE"]
    assert one["reasons"][0]["evidence"] == "1 of 2 names: A; another: B"


def test_a_likely_rival_lowers_the_probability_and_below_the_threshold_it_is_reviewed() -> None:
    likely, unlikely = (
        account(("A", 0.95, "match"), ("B", 0.7, "review")),
        account(("A", 0.95, "match"), ("B", 0.1, "review")),
    )
    assert likely["probability"] == pytest.approx(19 / (1 + 19 + 0.7 / 0.3))
    assert (likely["decision"], unlikely["decision"]) == ("review", "match")


def test_a_name_without_a_candidate_takes_nothing_from_the_others() -> None:
    one = account((None, 0.0, "review"), ("A", 0.95, "match"))
    assert (one["decision"], one["names"], codes(one)) == ("match", 2, [])
    assert one["probability"] == pytest.approx(0.95)


def test_no_account_is_matched_without_a_certificate() -> None:
    assert account(("A", 0.95, "review"), ("A", 0.9, "review"), threshold=None)["decision"] == "review"


def test_a_record_without_an_account_is_its_own() -> None:
    frame = decided(("A", 0.95, "match"), ("B", 0.95, "match"))
    combined = combine(frame, pl.Series([None, None], dtype=pl.String), THRESHOLD)
    assert combined["account_id"].to_list() == ["r0", "r1"]
    assert combined["decision"].to_list() == ["match", "match"]


def test_the_order_of_the_names_changes_nothing() -> None:
    frame = decided(("A", 0.9, "match"), ("B", 0.9, "match"), ("C", 0.2, "review"), ("A", 0.9, "review"))
    accounts = pl.Series(["x", "x", "y", "x"])
    turned = combine(frame.reverse(), accounts.reverse(), THRESHOLD)
    assert turned.equals(combine(frame, accounts, THRESHOLD))


def test_its_reason_is_in_the_catalogue() -> None:
    assert entries()["NAMES_DISAGREE"]["title"]


def test_a_missing_account_column_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="client") as refused:
        account_of(pl.DataFrame({"record_id": ["r"], "name": ["x"]}), "client", "records.csv")
    assert "record_id, name" in str(refused.value)
