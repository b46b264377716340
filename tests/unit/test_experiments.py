"""Experiments: what counts as a difference, and what does not however often one looks."""

import itertools
import math
import random

import polars as pl
import pytest

from matching.experiments import Arm, Block, compare, judge_canary, mcnemar, sequential_test

EDGES = (1.0, 2.0, 4.0, 8.0, 16.0)


def arm(errors: int = 0, match: int = 50, latency: tuple[int, ...] = (0, 90, 10)) -> Arm:
    return Arm(100, errors, {"match": match, "review": 100 - match}, latency)


def pair(token: str, band: str, shadow: str, reference: str | None = "R1", other: str | None = "R1"):
    return {"token": token, "band": band, "shadow_band": shadow, "reference_id": reference} | {
        "shadow_reference_id": other,
        "ms": 2.0,
        "shadow_ms": 3.0,
    }


def test_the_e_value_of_a_block_is_one_on_average_when_nothing_differs():
    """The definition of an e-value, worked out over all outcomes of a second block after a lopsided first."""
    first = Block(3, 3, 2, 0)
    before = sequential_test([first]).log_e
    for share in (0.1, 0.5, 0.8):
        mean = 0.0
        for a, b in itertools.product(range(4), range(3)):
            chance = math.comb(3, a) * math.comb(2, b) * share ** (a + b) * (1 - share) ** (5 - a - b)
            mean += chance * math.exp(sequential_test([first, Block(3, a, 2, b)]).log_e - before)
        assert mean <= 1 + 1e-9


def test_a_real_difference_is_found():
    draw = random.Random(1)
    blocks = [Block(10, sum(draw.random() < 0.6 for _ in range(10)), 10, sum(draw.random() < 0.4 for _ in range(10)))
              for _ in range(100)]  # fmt: skip
    assert sequential_test(blocks).differ(0.05)
    assert not sequential_test(blocks[:1]).differ(0.05)


def test_equal_versions_are_seldom_told_apart_however_often_one_looks():
    draw = random.Random(2)
    stops = 0
    for _ in range(200):
        blocks = []
        for _ in range(40):
            blocks.append(Block(5, sum(draw.random() < 0.5 for _ in range(5)), 5, sum(draw.random() < 0.5 for _ in range(5))))  # fmt: skip  # noqa: E501, PERF401
        stops += any(sequential_test(blocks[:n]).differ(0.05) for n in range(4, 41, 4))
    assert stops <= 20


def test_one_side_alone_shows_nothing():
    assert sequential_test([Block(100, 100, 0, 0)]).log_e == 0


def test_a_canary_like_its_baseline_is_not_objected_to():
    assert judge_canary([arm()] * 20, [arm()] * 20, EDGES) == []


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (arm(errors=10), "error share is 10.00%, the baseline's 0.00%"),
        (arm(match=20), "share of match is 20.0%, the baseline's 50.0%"),
        (arm(latency=(0, 0, 10, 90)), "take up to 8 ms, the baseline's 4 ms"),
    ],
)
def test_a_canary_that_is_worse_is_objected_to(bad: Arm, what: str):
    assert any(what in sentence for sentence in judge_canary([bad] * 20, [arm()] * 20, EDGES))


def test_a_canary_that_fails_less_than_its_baseline_is_not_objected_to():
    assert judge_canary([arm()] * 20, [arm(errors=10)] * 20, EDGES) == []


def test_a_difference_too_small_to_matter_is_not_objected_to():
    assert judge_canary([arm(match=53)] * 500, [arm(match=50)] * 500, EDGES) == []


def test_bands_ids_and_changes_are_counted():
    pairs = [
        *(pair(f"same{n}", "match", "match") for n in range(6)),
        pair("conflict", "match", "match", "R1", "R2"),
        pair("gained", "review", "match"),
        pair("lost", "match", "review"),
        pair("none", "no_match", "no_match", None, None),
    ]
    found = compare(pl.DataFrame(pairs))

    assert (found.records, found.same, found.conflicts, found.gained, found.lost) == (10, 7, 1, 1, 1)
    assert (found.agreement, found.latency_ratio, found.p_value) == (0.7, 1.5, 1.0)
    assert [row["token"] for row in found.disagreements] == ["conflict", "gained", "lost"]


def test_the_order_of_the_pairs_changes_nothing():
    pairs = pl.DataFrame([pair(str(n), "match", "review" if n % 3 else "match") for n in range(50)])
    assert compare(pairs) == compare(pairs.reverse())


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024)])
def test_mcnemar_is_a_fair_coin(gained: int, lost: int, p: float):
    assert mcnemar(gained, lost) == pytest.approx(p)
