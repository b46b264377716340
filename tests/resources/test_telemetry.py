"""The contract of scoring telemetry, held by each implementation."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from matching.records import InputError
from resources.store import S3Store
from resources.telemetry import LocalTelemetry, S3Telemetry, Telemetry

DAY = date(2024, 1, 31)
FRAME = pl.DataFrame(
    {
        "record_id": ["r1", "r2"],
        "probability": [0.9, None],
        "decision": ["match", "no_match"],
        "lexical_similarity": [1.0, 0.2],
        "embedding_similarity": [0.9, 0.1],
        "unknown_token_share": [0.0, 0.5],
        "name_length": [10, 12],
        "candidate_count": [50, 0],
        "degraded": [False, False],
        "bundle_version": ["abc", "abc"],
        "f_same_country": [1.0, None],
    }
)


@pytest.fixture(params=["local", "s3"])
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Telemetry:
    if request.param == "local":
        return LocalTelemetry(root=str(tmp_path / "telemetry"))
    store: S3Store = request.getfixturevalue("s3_store")
    return S3Telemetry(store=store)


def test_what_was_recorded_is_read_by_day(telemetry: Telemetry) -> None:
    telemetry.record(FRAME, DAY)

    assert telemetry.read(DAY).equals(FRAME)
    assert telemetry.read(date(2024, 2, 1)).is_empty()


def test_the_same_batch_recorded_again_is_there_once(telemetry: Telemetry) -> None:
    assert telemetry.record(FRAME, DAY) == telemetry.record(FRAME, DAY)
    assert telemetry.read(DAY).height == 2


def test_a_batch_that_was_corrected_replaces_the_one_of_its_id(telemetry: Telemetry) -> None:
    telemetry.record(FRAME, DAY, batch="run-7")
    telemetry.record(FRAME.head(1), DAY, batch="run-7")

    assert telemetry.read(DAY).equals(FRAME.head(1))


def test_batches_of_two_versions_are_read_together(telemetry: Telemetry) -> None:
    telemetry.record(FRAME, DAY, batch="a")
    telemetry.record(FRAME.drop("f_same_country").with_columns(f_acronym=pl.lit(1.0)), DAY, batch="b")

    assert telemetry.read(DAY).height == 4
    assert telemetry.read(DAY)["f_acronym"].to_list() == [None, None, 1.0, 1.0]


@pytest.mark.parametrize("column", ["name", "city", "lei", "F_SAME", "features", "evidence"])
def test_a_column_that_is_not_allowed_by_name_is_refused(telemetry: Telemetry, column: str) -> None:
    with pytest.raises(InputError, match=f"column {column}: telemetry may not hold it"):
        telemetry.record(FRAME.with_columns(pl.lit(1.0).alias(column)), DAY)
    assert telemetry.read(DAY).is_empty()


@pytest.mark.parametrize("column", ["probability", "name_length", "f_same_country"])
def test_text_in_a_column_of_numbers_is_refused(telemetry: Telemetry, column: str) -> None:
    with pytest.raises(InputError, match=f"column {column}: telemetry may not hold it as String"):
        telemetry.record(FRAME.with_columns(pl.lit("Acme Holdings").alias(column)), DAY)


def test_text_in_the_place_of_a_decision_is_refused(telemetry: Telemetry) -> None:
    with pytest.raises(InputError, match="column decision"):
        telemetry.record(FRAME.with_columns(pl.lit("Acme Holdings").alias("decision")), DAY)


def test_a_batch_id_that_is_no_safe_path_is_refused(telemetry: Telemetry) -> None:
    with pytest.raises(ValueError, match="no batch id"):
        telemetry.record(FRAME, DAY, batch="../outside")
