"""Bands: which probability is matched, reviewed or refused."""

import json

import numpy as np
import pytest

from matching.certificate import Certificate, certify
from matching.policy import Policy, may_be_matched, on_reference, review_floor


def certificate(granted: bool, threshold: float | None) -> Certificate:
    counts = {"records": 1_000, "entities": 1_000, "accepted": 400, "errors": 0, "effective": 400.0}
    unasked = {"no_match": 0, "false_accepts": 0, "most_false_accepts": None}
    return Certificate(
        granted, threshold, 0.99, 0.95, **counts, p_value=0.02, level=0.05, **unasked, statement="a sentence"
    )


def granted(threshold: float) -> Certificate:
    return certificate(True, threshold)


def refused() -> Certificate:
    return certificate(False, None)


# Bands


def test_a_record_is_matched_at_the_threshold_reviewed_below_it_and_refused_below_the_floor() -> None:
    policy = Policy(granted(0.9), review_floor=0.2)
    assert policy.decide([0.9, 0.899, 0.2, 0.199], [0.0] * 4, [True] * 4) == ["match", "review", "review", "no_match"]


def test_nothing_is_matched_without_a_certificate() -> None:
    assert Policy(refused(), review_floor=0.2).decide([0.9999, 0.1], [0, 0], [True, True]) == ["review", "no_match"]


def test_a_barred_record_goes_to_review_however_probable() -> None:
    assert Policy(granted(0.9), 0.2).decide([0.99], [0.0], [False]) == ["review"]


def test_a_runner_up_as_probable_as_the_best_sends_the_record_to_review() -> None:
    assert Policy(granted(0.9), 0.2).decide([0.95, 0.95], [0.95, 0.9499], [True, True]) == ["review", "match"]


def test_a_record_without_a_runner_up_can_be_matched() -> None:
    assert may_be_matched([0.95], [np.nan], [True]).tolist() == [True]


def test_a_record_without_a_candidate_is_refused() -> None:
    assert Policy(granted(0.9), 0.0).decide([np.nan], [np.nan], [True]) == ["no_match"]


def test_a_policy_survives_json() -> None:
    policy = Policy(certify(np.linspace(0.5, 0.999, 500), np.ones(500), np.arange(500)), review_floor=0.1 + 0.2)
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


# The review floor


def test_at_most_the_given_share_of_right_candidates_falls_below_the_floor() -> None:
    probability = np.linspace(0, 1, 1_001)
    right = probability > 0.3
    floor = review_floor(probability, right, miss_share=0.02)
    assert (probability[right] < floor).mean() <= 0.02 < (probability[right] <= floor).mean() + 1e-3


def test_equal_probabilities_never_push_more_below_the_floor() -> None:
    assert review_floor([0.1] * 5 + [0.9] * 95, [True] * 100, miss_share=0.03) == 0.1


def test_without_a_right_candidate_nothing_is_refused_unseen() -> None:
    assert review_floor([0.5, np.nan], [False, False]) == 0.0


# Another reference


def test_distances_of_references_add_up_until_the_certificate_falls() -> None:
    policy = Policy(certify(np.linspace(0.5, 0.999, 5000), np.ones(5000), np.arange(5000)), review_floor=0.1)
    assert policy.certificate.granted
    ids = [str(i) for i in range(100)]
    once, moved = on_reference(policy, ids, ids[10:])
    assert (once.certificate.granted, moved) == (True, pytest.approx(0.1))
    twice, moved = on_reference(once, ids[10:], ids[25:], moved)
    assert (twice.certificate.granted, twice.certificate.threshold) == (False, None)
    assert moved == pytest.approx(0.1 + 15 / 90)


# Closing


def test_a_withdrawn_certificate_moves_matches_to_review_and_nothing_else() -> None:
    policy = Policy(granted(0.9), review_floor=0.2)
    asked = ([0.95, 0.95, 0.5, 0.1, np.nan], [0.0] * 5, [True, False, True, True, True])
    assert policy.decide(*asked) == ["match", "review", "review", "no_match", "no_match"]
    assert policy.close().decide(*asked) == ["review", "review", "review", "no_match", "no_match"]
    assert policy.close().is_withheld(*asked).tolist() == [True, False, False, False, False]
    assert not policy.is_withheld(*asked).any()


def test_what_a_withdrawn_certificate_would_match_is_reviewed_also_below_the_review_floor() -> None:
    assert Policy(granted(0.5), review_floor=0.8).close().decide([0.6], [0.0], [True]) == ["review"]


def test_closing_again_or_without_a_certificate_changes_nothing() -> None:
    closed = Policy(granted(0.9), review_floor=0.2).close()
    assert closed.close() is closed
    assert Policy(refused(), review_floor=0.2).close().withdrawn is None


def test_a_closed_policy_is_read_as_it_was_written_and_one_of_an_earlier_version_is_open() -> None:
    closed = Policy(granted(0.9), review_floor=0.2).close()
    assert Policy.from_json(json.loads(json.dumps(closed.to_json()))) == closed
    assert Policy.from_json(Policy(granted(0.9), 0.2).to_json()).withdrawn is None
