"""The embedded sample keeps its contract and what its README says of it."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from matching.identifiers import isin_is_valid
from matching.records import InputError, read_table
from matching_assets.sample import days, records_of_day, sample_files

FOLDER = Path(sample_files()["records"]).parent


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    return {name: read_table(path) for name, path in sample_files().items()}


def test_ids_are_unique(frames: dict[str, pl.DataFrame]) -> None:
    assert frames["reference"]["reference_id"].is_unique().all()
    assert frames["records"]["record_id"].is_unique().all()


def test_every_record_has_one_label(frames: dict[str, pl.DataFrame]) -> None:
    assert frames["labels"]["record_id"].sort().to_list() == frames["records"]["record_id"].sort().to_list()


def test_labels_and_alternatives_point_at_registrants(frames: dict[str, pl.DataFrame]) -> None:
    labels, known = frames["labels"], set(frames["reference"]["reference_id"])
    assert set(labels["reference_id"].drop_nulls()) <= known
    assert set(labels["same_name_alternatives"].explode().drop_nulls()) <= known


def test_no_label_is_its_own_alternative(frames: dict[str, pl.DataFrame]) -> None:
    own = pl.col("same_name_alternatives").list.contains(pl.col("reference_id"))
    assert frames["labels"].filter(own.fill_null(value=False)).is_empty()


def test_an_entity_is_its_registrant_or_has_none(frames: dict[str, pl.DataFrame]) -> None:
    matched, unmatched = (frames["labels"].filter(pl.col("reference_id").is_null() == none) for none in (False, True))
    assert (matched["entity_key"] == matched["reference_id"]).all()
    assert set(unmatched["entity_key"]) <= set(unmatched["record_id"])


def test_records_arrive_on_ten_business_days_in_a_row() -> None:
    arrivals = [date.fromisoformat(day) for day in days()]
    assert len(arrivals) == 10
    assert all(day.weekday() < 5 for day in arrivals)
    assert all(later - day == timedelta(days=3 if day.weekday() == 4 else 1) for day, later in pairwise(arrivals))


def test_the_days_together_are_all_records(frames: dict[str, pl.DataFrame]) -> None:
    arrived = pl.concat([records_of_day(day) for day in days()]).sort("record_id")
    assert arrived.equals(frames["records"].drop("day").sort("record_id"))


def test_a_day_without_records_is_an_error() -> None:
    with pytest.raises(InputError, match="2026-01-10"):
        records_of_day("2026-01-10")


def test_the_matcher_sees_no_ticker_and_no_person(frames: dict[str, pl.DataFrame]) -> None:
    assert frames["reference"].columns == ["reference_id", "name", "cik", "exchange"]
    facts = ["country", "state", "city", "website", "sector", "industry", "source", "indices", "day"]
    assert frames["records"].columns == ["record_id", "name", *facts]
    assert frames["labels"].columns == ["record_id", "reference_id", "entity_key", "same_name_alternatives"]


def test_no_value_is_an_isin(frames: dict[str, pl.DataFrame]) -> None:
    for frame in (frames["reference"], frames["records"]):
        assert not [value for column in frame for value in column.drop_nulls() if isin_is_valid(value)]


def test_the_readme_says_the_true_counts(frames: dict[str, pl.DataFrame]) -> None:
    readme, reference_id = (FOLDER / "README.md").read_text(), frames["labels"]["reference_id"]
    assert f"| {frames['reference'].height:,} issuers |" in readme
    assert f"| {frames['records'].height:,} companies |" in readme
    assert f"| {reference_id.count():,} matches, {reference_id.null_count():,} with no registrant |" in readme


@pytest.mark.parametrize(("name", "registrant"), [("IBM", "INTERNATIONAL BUSINESS MACHINES CORP"), ("EQT AB", None)])
def test_hard_but_true_cases_are_kept(frames: dict[str, pl.DataFrame], name: str, registrant: str | None) -> None:
    one = frames["records"].filter(name=name).join(frames["labels"], on="record_id")
    found = one.join(frames["reference"], on="reference_id", how="left")["name_right"].to_list()
    assert found == [registrant]


def test_the_folder_is_under_two_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 2_000_000
