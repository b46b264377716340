"""The character TF-IDF baseline."""

import polars as pl
import pytest

from matching.baseline import tfidf_baseline
from matching.records import InputError

REFERENCE = pl.DataFrame(
    {
        "reference_id": ["R1", "R2", "R3"],
        "name": ["International Business Machines Corp", "Microsoft Corporation", "Machine Business Ltd"],
    }
)


def records(names: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"record_id": [f"r{i}" for i in range(len(names))], "name": names})


def labels(references: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"record_id": [f"r{i}" for i in range(len(references))], "reference_id": references})


def test_case_does_not_matter_and_the_nearest_name_wins() -> None:
    found = tfidf_baseline(REFERENCE, records(["INTL BUSINESS MACHINES", "microsoft corp"]), labels(["R1", "R2"]))
    assert found == {"top1": 1.0, "recall@50": 1.0, "best_f1": 1.0}


def test_a_name_that_is_second_is_found_but_not_first() -> None:
    found = tfidf_baseline(REFERENCE, records(["Business Machine Ltd"]), labels(["R1"]))
    assert (found["top1"], found["recall@50"]) == (0.0, 1.0)


def test_an_acronym_is_out_of_its_reach() -> None:
    assert tfidf_baseline(REFERENCE, records(["IBM"]), labels(["R1"]))["recall@50"] == 0.0


def test_a_record_without_a_name_finds_nothing() -> None:
    assert tfidf_baseline(REFERENCE, records([None, "Microsoft"]), labels(["R1", "R2"]))["top1"] == 0.5


def test_only_labelled_records_are_judged() -> None:
    found = tfidf_baseline(REFERENCE, records(["Microsoft", "Machines"]), labels(["R2"]))
    assert found["top1"] == 1.0


def test_more_records_than_a_block_are_judged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    many = records(["Microsoft", "Intl Business Machines", "Machine Business"] * 5)
    gold = labels(["R2", "R1", "R1"] * 5)
    whole = tfidf_baseline(REFERENCE, many, gold)
    monkeypatch.setattr("matching.baseline.BLOCK", 4)
    assert tfidf_baseline(REFERENCE, many, gold) == whole
    assert whole["top1"] == pytest.approx(2 / 3)


def test_records_without_any_label_are_an_error() -> None:
    with pytest.raises(InputError, match="no decision has a label"):
        tfidf_baseline(
            REFERENCE, records(["Microsoft"]), labels([]).cast({"record_id": pl.String, "reference_id": pl.String})
        )
