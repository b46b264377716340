"""The certificate. The last tests draw many samples: what it promises must hold in them."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binom

from matching.certificate import certify
from matching.intervals import precision_p_value, trials_needed

TARGET, CONFIDENCE = 0.99, 0.95
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
Shown = Callable[[np.ndarray, np.ndarray, np.ndarray], Sample]


def clean(n: int, errors: int = 0) -> Sample:
    """n entities with one record each, the `errors` least probable of them wrong."""
    return np.linspace(0.5, 0.999, n), np.arange(n) >= errors, np.array([f"e{i}" for i in range(n)])


def test_299_entities_without_an_error_earn_a_certificate() -> None:
    probability, right, entity = clean(299)
    certificate = certify(probability, right, entity)
    assert certificate.granted
    assert certificate.threshold == probability.min()
    assert (certificate.accepted, certificate.errors) == (299, 0)


def test_298_entities_do_not_and_the_statement_asks_for_the_one_that_is_missing() -> None:
    certificate = certify(*clean(298))
    assert not certificate.granted
    assert "at least 1 more" in certificate.statement


def test_an_error_in_the_first_299_asks_for_more_labels() -> None:
    probability, right, entity = clean(310)
    right[-5] = False
    certificate = certify(probability, right, entity)
    assert not certificate.granted
    assert certificate.errors == 1
    assert (
        "about 181 more labelled entities are needed" in certificate.statement
    )  # 310 of them give 299; 473 are needed


def test_a_ranker_that_is_wrong_too_often_is_told_that_labels_will_not_help() -> None:
    probability, right, entity = clean(1_000)
    right[::20] = False
    assert "more labels alone are not enough" in certify(probability, right, entity).statement


def test_the_threshold_leaves_the_errors_at_the_bottom_out() -> None:
    probability, right, entity = clean(2_000, errors=300)
    certificate = certify(probability, right, entity)
    assert certificate.granted
    assert 0 < certificate.errors < 20
    p_value = precision_p_value([certificate.errors], [certificate.accepted], TARGET)[0]
    assert certificate.p_value == p_value <= 1 - CONFIDENCE


def test_the_statement_names_what_was_shown_and_how() -> None:
    statement = certify(*clean(2_000, errors=300)).statement
    for part in ("99 %", "95 %", "2,000 entities", "matched without review", "independent trials", "p = "):
        assert part in statement


def test_equal_probabilities_are_accepted_or_refused_together() -> None:
    probability, right, entity = clean(700, errors=100)
    probability[:200] = 0.6  # one hundred errors inside a tie of two hundred
    assert certify(probability, right, entity).accepted == 500


def test_the_order_of_rows_does_not_matter() -> None:
    probability, right, entity = population(np.random.default_rng(3), 2_000)
    shuffled = np.random.default_rng(4).permutation(len(probability))
    assert certify(probability, right, entity) == certify(probability[shuffled], right[shuffled], entity[shuffled])


def test_where_every_entity_has_one_record_the_test_is_the_exact_binomial_one() -> None:
    probability, right, entity = clean(2_000, errors=300)
    certificate = certify(probability, right, entity)
    assert certificate.effective == certificate.accepted
    assert certificate.p_value == precision_p_value([certificate.errors], [certificate.accepted], TARGET)[0]


def test_records_that_stand_and_fall_together_count_as_fewer_trials_than_those_that_do_not() -> None:
    together = np.repeat(np.arange(1_000) % 500 != 499, 4)
    apart = np.arange(4_000) % 500 != 499
    entity = np.repeat(np.arange(1_000), 4).astype(str)
    p, expected = np.linspace(0.99, 0.9, 4_000), np.full(4_000, 0.002)
    shown = [certify(p, right, entity, expected_error=expected) for right in (together, apart)]
    assert all(c.granted for c in shown)
    assert shown[0].effective == pytest.approx(1_000, abs=5)
    assert shown[1].effective > 1.9 * shown[0].effective


def test_many_records_of_one_entity_count_once() -> None:
    probability, right, _ = clean(5_000)
    certificate = certify(probability, right, np.repeat([f"e{i}" for i in range(250)], 20))
    assert not certificate.granted
    assert certificate.entities == certificate.effective == 250


def test_records_that_may_never_be_matched_take_no_part() -> None:
    probability, right, entity = clean(400)
    never = np.full(100, np.nan)
    with_never = certify(np.r_[probability, never], np.r_[right, np.zeros(100, bool)], np.r_[entity, entity[:100]])
    assert with_never == certify(probability, right, entity)


def test_a_certificate_is_not_given_for_entities_where_the_large_ones_are_wrong() -> None:
    size = np.where(
        np.arange(1_000) < 8, 200, 1
    )  # eight entities of 1,000 hold most records, and all of those are wrong
    entity = np.repeat(np.arange(1_000), size).astype(str)
    right = np.repeat(np.arange(1_000) >= 8, size)
    order = np.random.default_rng(0).permutation(len(entity))
    certificate = certify(np.linspace(0.9, 0.99, len(entity))[order], right, entity)
    assert not certificate.granted


def test_no_records_earn_no_certificate() -> None:
    certificate = certify([], [], [])
    assert not certificate.granted
    assert "at least 299 more" in certificate.statement


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        certify([0.5], [True, False], ["a"])


# Records that have no match


def with_strangers(accepted: int, of: int) -> tuple[Sample, np.ndarray]:
    """5,000 records that are right, and `of` without a match, `accepted` of them among the unsure."""
    probability, right, entity = clean(5_000)
    strangers = np.r_[np.linspace(0.51, 0.52, accepted), np.full(of - accepted, 0.01)]
    everybody = np.r_[entity, [f"s{i}" for i in range(of)]]
    given = np.r_[probability, strangers], np.r_[right, np.zeros(of, np.bool_)], everybody
    return given, np.arange(5_000 + of) < 5_000


def test_a_threshold_that_accepts_too_many_records_without_a_match_is_not_certified() -> None:
    given, match = with_strangers(accepted=20, of=300)
    unasked, asked = certify(*given), certify(*given, match)
    assert asked.accepted < unasked.accepted
    assert asked.false_accepts <= 6  # of 300: the most that show 4 % with 95 % confidence
    assert unasked.granted
    assert sum(given[0][~match] >= unasked.threshold) > 6  # the control


def test_a_refusal_says_that_too_many_records_without_a_match_are_accepted() -> None:
    probability, right, entity = clean(5_000)
    match = np.arange(5_000) % 20 != 0  # all of the other 250 are as sure as any
    refused = certify(probability, right & match, entity, match, target_precision=0.9)
    assert not refused.granted
    assert "too many records without a match are accepted" in refused.statement


def test_few_false_accepts_are_shown_beside_the_precision() -> None:
    given, match = with_strangers(accepted=2, of=300)
    certificate = certify(*given, match)
    assert certificate.granted
    assert (certificate.false_accepts, certificate.no_match, certificate.most_false_accepts) == (2, 300, 0.04)
    assert "at most 4 % are matched, with the same confidence: 2 of 300 were" in certificate.statement


def test_false_accepts_are_counted_by_entity_too() -> None:
    given, match = with_strangers(accepted=0, of=300)
    probability, right, entity = given
    of_few = np.r_[entity[:5_000], np.repeat([f"s{i}" for i in range(30)], 10)]
    assert certify(probability, right, entity, match).most_false_accepts == 0.04
    assert certify(probability, right, of_few, match).most_false_accepts is None  # 30 entities show nothing


def test_too_few_labels_without_a_match_are_said_and_not_asked_of() -> None:
    given, match = with_strangers(accepted=5, of=trials_needed(0, 0.96, 0.95) - 1)
    certificate = certify(*given, match)
    assert certificate.granted
    assert "Too few labels are known to have no match (73)" in certificate.statement


def test_a_lower_share_of_false_accepts_costs_coverage() -> None:
    probability, _, entity = clean(5_000)
    match = np.arange(5_000) % 10 != 0
    match |= probability > 0.7  # below it one in ten is a stranger
    shares = (0.5, 0.1, 0.04)
    accepted = [certify(probability, match, entity, match, 0.8, 0.95, share).accepted for share in shares]
    assert all(more > fewer for more, fewer in pairwise(accepted))


# Validity: does the promise hold in samples drawn from a population whose precision is known?


def population(rng: np.random.Generator, entities: int, large_are_worse: bool = False) -> Sample:
    """Records of entities with 1 to 8 each. An entity's records share their score and mostly their error."""
    size, quality = rng.integers(1, 9, entities), rng.random(entities)
    risk = 0.0005 + 0.25 * np.clip(0.5 - quality, 0, None) ** 1.5
    if large_are_worse:
        risk = np.clip(risk * np.where(size > 5, 5.0, 0.1), 0, 1)
    bad = rng.random(entities) < risk
    owner = np.repeat(np.arange(entities), size)
    wrong = bad[owner] & (rng.random(len(owner)) < 0.9)
    probability = np.clip(quality[owner] * 0.98 + 0.01 + rng.normal(0, 0.002, len(owner)), 1e-6, 1 - 1e-6)
    return probability, ~wrong, owner.astype(str)


def every_record_a_trial(probability: np.ndarray, right: np.ndarray, entity: np.ndarray) -> Sample:
    return probability, right, np.arange(len(entity)).astype(str)


def one_record_an_entity(probability: np.ndarray, right: np.ndarray, entity: np.ndarray) -> Sample:
    first = np.unique(entity, return_index=True)[1]  # their order within an entity is random
    return probability[first], right[first], entity[first]


def broken_promises(
    samples: int,
    entities: int,
    large_are_worse: bool = False,
    shown: Shown | None = None,
    expected: Callable[[np.ndarray], np.ndarray] | None = None,
) -> float:
    """The share of samples whose granted threshold has a true precision, over all records, below the target."""
    p, right, _ = population(np.random.default_rng(99), 100_000, large_are_worse)
    order = np.argsort(-p)
    precision = np.cumsum(right[order]) / np.arange(1, len(p) + 1)
    broken = 0
    for seed in range(samples):
        sample = population(np.random.default_rng(seed), entities, large_are_worse)
        hint = expected(sample[0]) if expected else None
        given = shown(*sample) if shown else sample
        threshold = certify(*given, None, TARGET, CONFIDENCE, expected_error=hint).threshold
        if threshold is not None:
            broken += precision[np.searchsorted(-p[order], -threshold, side="right") - 1] < TARGET
    return broken / samples


def allowed(samples: int) -> float:
    """What 5 % looks like in so many samples, with 1 % left to chance."""
    return float(binom.ppf(0.99, samples, 1 - CONFIDENCE)) / samples


@pytest.mark.slow
def test_the_granted_threshold_keeps_its_promise_in_95_of_100_samples() -> None:
    assert broken_promises(samples=200, entities=900) <= allowed(200)


@pytest.mark.slow
def test_it_keeps_its_promise_whatever_the_ranker_expects() -> None:
    for hint in (lambda p: 1 - p, np.zeros_like, lambda p: np.full_like(p, 0.5)):
        assert broken_promises(samples=60, entities=900, expected=hint) <= allowed(60)


def test_an_error_among_the_surest_is_forgiven_when_the_ranker_expects_few_further_down() -> None:
    p = np.linspace(0.999, 0.9, 1_000)
    right = np.r_[[False], np.ones(999, np.bool_)]
    entity = np.array([f"E{i}" for i in range(1_000)])
    assert not certify(p[:600], right[:600], entity[:600]).granted
    assert certify(p[:600], right[:600], entity[:600], expected_error=np.full(600, 1e-4)).granted


@pytest.mark.slow
def test_control_a_threshold_that_takes_every_record_for_a_trial_breaks_it() -> None:
    assert broken_promises(samples=60, entities=900, shown=every_record_a_trial) > allowed(60)


@pytest.mark.slow
def test_it_keeps_it_where_entities_with_many_records_are_the_worse_ones() -> None:
    assert broken_promises(samples=60, entities=1_500, large_are_worse=True) <= allowed(60)


@pytest.mark.slow
def test_control_a_threshold_that_looks_at_one_record_an_entity_breaks_it_there() -> None:
    assert broken_promises(samples=60, entities=1_500, large_are_worse=True, shown=one_record_an_entity) > allowed(60)
