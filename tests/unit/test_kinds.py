"""A kind of record that is matched worse than promised is barred, and so is one of which nothing is known."""

import numpy as np
import polars as pl
import pytest

from matching.certification import fit_policy
from matching.fit_config import FitConfig
from matching.kinds import MOST_KINDS, Kind, judge_kinds, outside


def frame(**sources: tuple[int, int]) -> tuple[pl.DataFrame, np.ndarray]:
    """Records of each source, (matched, of them wrongly), each of an entity of its own; and which are wrong."""
    source = [name for name, (made, _) in sources.items() for _ in range(made)]
    wrong = [i < errors for made, errors in sources.values() for i in range(made)]
    return pl.DataFrame({"source": source, "entity_key": [str(i) for i in range(len(source))]}), np.array(wrong)


def barred(records: pl.DataFrame, wrong: np.ndarray, target: float = 0.99) -> list[str]:
    kinds = judge_kinds(records, np.ones(len(wrong), np.bool_), wrong, records["entity_key"], target, 0.95)
    return [kind.value for kind in kinds if kind.barred]


def test_a_small_kind_that_is_shown_to_be_worse_is_barred() -> None:
    assert barred(*frame(exchange=(3_000, 15), former=(60, 8))) == ["former"]


@pytest.mark.parametrize(("made", "errors"), [(0, 0), (1, 0), (40, 1), (3_000, 36)])
def test_a_kind_that_may_keep_the_promise_is_not(made: int, errors: int) -> None:
    assert barred(*frame(exchange=(made, errors), other=(100, 0))) == []


def test_records_of_one_entity_count_once() -> None:
    records, wrong = frame(exchange=(3_000, 15), former=(60, 8))
    one = pl.when(pl.col("source") == "former").then(pl.lit("the same")).otherwise("entity_key")
    assert barred(records.with_columns(entity_key=one), wrong) == []


def test_at_most_one_sample_in_twenty_bars_any_kind_that_keeps_the_promise() -> None:
    dice = np.random.default_rng(0)
    records, _ = frame(**{f"feed {i}": (200, 0) for i in range(5)})
    found = sum(bool(barred(records, dice.random(records.height) < 0.01)) for _ in range(200))
    assert found <= 0.05 * 200 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_a_record_of_a_barred_or_an_unknown_kind_is_outside_and_one_of_none_is_not() -> None:
    kinds = (Kind("source", "good", 10, 5, 0, barred=False), Kind("source", "bad", 10, 5, 5, barred=True))
    asked = pl.DataFrame({"source": ["good", "bad", "new", None]})
    assert outside(asked, kinds).tolist() == [False, True, True, False]
    assert outside(asked.rename({"source": "feed"}), kinds).tolist() == [False] * 4
    assert outside(asked, ()).tolist() == [False] * 4


def test_a_column_of_very_many_values_is_no_kind() -> None:
    records, wrong = frame(**{f"file {i}": (2, 2) for i in range(MOST_KINDS + 1)})
    assert judge_kinds(records, np.ones(len(wrong), np.bool_), wrong, records["entity_key"], 0.99, 0.95) == ()


def test_the_certificate_is_earned_without_the_barred_kind_and_names_it() -> None:
    dice = np.random.default_rng(1)
    n, bad = 4_000, 60
    source = np.array(["exchange"] * n + ["former"] * bad)
    margin = dice.normal(4, 1, n + bad)
    right = np.r_[dice.random(n) < 1 / (1 + np.exp(-margin[:n] - 1.5)), dice.random(bad) < 0.5]
    best = pl.DataFrame(
        {
            "source": source, "margin": margin, "runner_up_margin": margin - 3, "right": right, "has_match": True,
            "entity_key": [str(i) for i in range(n + bad)], "readable": True, "clear": True,
        }
    )  # fmt: skip
    _, policy = fit_policy(best, FitConfig())
    assert [kind.value for kind in policy.kinds if kind.barred] == ["former"]
    assert policy.certificate.records == n
    assert "source former" in policy.certificate.statement
