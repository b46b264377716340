"""What a record's origin says: learnt from labels, entities counted once, and nothing of what was never seen."""

import numpy as np
import polars as pl

from matching.priors import MOST, PRIOR_ATTRIBUTES, Priors, origins_of
from matching.training import FitConfig, assign_use, out_of_fold_priors


def origins(*rows: tuple[str, bool, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"entity_key": pl.String, "has_match": pl.Boolean, "country": pl.String}, orient="row"
    )


def home_and_abroad(each: int = 50) -> pl.DataFrame:
    return origins(
        *((f"U{i}", True, "us") for i in range(each)),
        *((f"J{i}", i % 5 == 0, "jp") for i in range(each)),
    )


def test_an_origin_that_is_often_matched_speaks_for_a_record_and_a_rare_one_against_it() -> None:
    country = Priors.fit(home_and_abroad()).columns(origins(("a", False, "us"), ("b", False, "jp")))[:, 0]
    assert country[0] > 1
    assert country[1] < -1


def test_an_origin_that_was_never_seen_or_is_missing_says_nothing() -> None:
    asked = origins(("a", False, "br"), ("b", False, None))
    assert not Priors.fit(home_and_abroad()).columns(asked).any()


def test_one_entity_with_many_records_counts_once() -> None:
    once = Priors.fit(home_and_abroad())
    many = Priors.fit(pl.concat([home_and_abroad(), origins(*([("U0", True, "us")] * 500))]))
    assert once == many


def test_few_entities_say_less_than_many() -> None:
    few = Priors.fit(pl.concat([home_and_abroad(), origins(("B0", False, "br"))])).log_odds["country"]
    assert few["jp"] < few["br"] < 0


def test_what_is_learnt_is_bounded() -> None:
    assert np.abs(Priors({"country": {"us": 99.0}}).columns(origins(("a", True, "us")))).max() == MOST


def test_values_are_compared_in_one_form() -> None:
    records = pl.DataFrame({"country": ["United States", "USA", None], "exchange": [" NYQ", "nyq", ""]})
    assert origins_of(records).rows() == [("us", "nyq", None), ("us", "nyq", None), (None, None, None)]


def test_records_without_any_origin_are_told_nothing_of() -> None:
    records = pl.DataFrame({"record_id": ["a", "b"], "name": ["A", "B"]})
    told = Priors.fit(home_and_abroad()).columns(origins_of(records))
    assert told.shape == (2, len(PRIOR_ATTRIBUTES))
    assert not told.any()


def test_in_training_an_entity_has_no_say_about_itself() -> None:
    ids = [f"R{i}" for i in range(60)]
    records = pl.DataFrame({"record_id": ids, "name": ids, "country": ["Japan"] * 59 + ["Brazil"]})
    labels = pl.DataFrame({"record_id": ids, "reference_id": [None] * 30 + ids[30:]})
    config = FitConfig()
    found = out_of_fold_priors(records, assign_use(labels, config), config)
    column = f"{PRIOR_ATTRIBUTES[0]}_prior"
    assert found.filter(pl.col("record_id") == "R59")[column].item() == 0.0
    told = Priors.fit(origins(("R59", True, "br"))).columns(origins(("R59", True, "br")))
    assert told[0, 0] != 0.0  # the control: with its own say it would not be silent
