"""The simulation of the certificate, on margins whose truth is known."""

import numpy as np
import polars as pl
import pytest

from benchmarks.certificate import claim, outcome, split, summarise


def world(entities: int, per_entity: int, seed: int = 0) -> pl.DataFrame:
    """Records whose margin says how likely their candidate is right; a tenth has no match."""
    dice = np.random.default_rng(seed)
    n = entities * per_entity
    margin = dice.normal(4, 3, n)
    right = dice.random(n) < 1 / (1 + np.exp(-margin))
    return pl.DataFrame(
        {
            "entity_key": [f"E{i // per_entity}" for i in range(n)],
            "has_match": right | (dice.random(n) < 0.5),
            "margin": margin,
            "runner_up_margin": np.full(n, np.nan),
            "right": right,
            "readable": [True] * n,
            "clear": [True] * n,
        }
    )


@pytest.fixture(scope="module")
def best() -> pl.DataFrame:
    return world(1_500, 2)


def test_a_draw_is_the_same_each_time(best):
    assert claim(best, 2) == claim(best, 2)
    assert split(best, 2) == split(best, 2)


def test_each_draw_certifies_on_other_entities(best):
    first, second = claim(best, 2)
    assert first != second


def test_a_certificate_that_is_granted_matches_what_is_right(best):
    found = outcome(best, world(1_500, 2, seed=1))
    assert 0.3 < found["coverage"] < 0.9
    assert found["records"] > 0.98


def test_where_nothing_can_be_certified_nothing_is_matched():
    found = outcome(world(40, 2), world(200, 2, seed=1))
    assert (found["coverage"], found["records"], found["entities"]) == (0.0, 1.0, 1.0)


def test_one_record_of_each_entity_weighs_as_much_as_many():
    taught = world(3_000, 1)
    few, many = taught.head(1), pl.concat([taught.sort("margin").tail(1)] * 9)
    asked = pl.concat(
        [few.with_columns(margin=30.0, right=True), many.with_columns(entity_key=pl.lit("other"), right=False)]
    )
    found = outcome(taught, asked)
    assert found["records"] == pytest.approx(0.1)
    assert found["entities"] == pytest.approx(0.5)


def test_a_draw_below_the_target_is_counted_as_broken():
    one = {"coverage": 0.5, "records": 0.995, "entities": 0.995, "false_accepts": 0.1, "false_accepts_allowed": 0.04}
    found = summarise([one, one | {"records": 0.98, "false_accepts": 0.01}], target=0.99)
    assert (found["holds_records"], found["holds_entities"], found["holds_false_accepts"]) == (0.5, 1.0, 0.5)
    assert found["precisions"] == [0.98, 0.995]
