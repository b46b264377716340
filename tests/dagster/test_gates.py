"""Each gate of an approval: it opens for a good value, and it closes for a bad one."""

from typing import Any

import pytest

from matching_assets.gates import decide_status, judge_shadow, judge_version
from matching_assets.release import against

CERTIFICATE = {
    "granted": True,
    "confidence": 0.95,
    "target_precision": 0.99,
    "p_value": 0.02,
    "level": 0.05,
    "statement": "Shown by 400 entities.",
}
METRICS = {
    "precision": 0.995,
    "precision_ci95": [0.97, 1.0],
    "ece": 0.01,
    "recall@50": 0.97,
    "recall@1": 0.95,
    "coverage": 0.5,
}


def measured(**changed: Any) -> dict[str, Any]:
    """A good version, with some of its metrics changed."""
    return {
        "metrics": {**METRICS, **changed},
        "baseline": {"top1": 0.9},
        "champion": None,
        "champion_unreadable": None,
        "golden_wrong": [],
        "golden_changed": [],
    }


def closed(facts: dict[str, Any], certificate: dict[str, Any] | None = None, **config: bool) -> set[str]:
    """The gates that do not open."""
    gates = judge_version(facts, certificate or CERTIFICATE, **config)
    assert (decide_status(gates) == "Rejected") == any(not gate.passed for gate in gates)
    return {gate.gate for gate in gates if not gate.passed}


def test_a_good_version_passes_every_gate():
    assert closed(measured()) == set()


@pytest.mark.parametrize(
    ("changed", "gate"),
    [
        ({"precision_ci95": [0.94, 1.0]}, "precision"),
        ({"ece": 0.06}, "calibration"),
        ({"ece": None}, "calibration"),
        ({"recall@50": 0.8}, "candidate_recall"),
        ({"recall@50": None}, "candidate_recall"),
        ({"recall@1": 0.9}, "baseline"),
    ],
)
def test_a_bad_value_closes_its_gate(changed, gate):
    assert gate in closed(measured(**changed))


def test_without_a_certificate_nothing_is_approved():
    assert closed(measured(), {**CERTIFICATE, "granted": False}) == {"certificate"}


def test_a_version_without_a_certificate_may_be_allowed_explicitly():
    assert closed(measured(), {**CERTIFICATE, "granted": False}, without_automatic_matches=True) == set()


def test_a_version_that_matches_nothing_matches_nothing_wrongly():
    assert closed(measured(precision=None, precision_ci95=[0.0, 1.0], coverage=0.0)) == set()


def test_a_golden_decision_that_becomes_a_wrong_match_closes_the_gate():
    assert closed({**measured(), "golden_wrong": ["r1"], "golden_changed": ["r1: review expected, match decided"]}) == {
        "golden_set"
    }


def test_a_golden_decision_that_only_comes_out_otherwise_does_not():
    assert closed({**measured(), "golden_changed": ["r1: review expected, match decided"]}) == set()


@pytest.mark.parametrize(
    ("champion", "gates"),
    [
        ({"recall@1": 0.96, "coverage": 0.51}, set()),
        ({"recall@1": 0.98, "coverage": 0.5}, {"champion"}),
        ({"recall@1": 0.95, "coverage": 0.6}, {"champion"}),
    ],
)
def test_a_version_may_not_be_worse_than_the_champion_by_more_than_noise(champion, gates):
    assert closed({**measured(), "champion": champion}) == gates


@pytest.mark.parametrize(
    ("gained", "lost", "p_value", "gates"),
    [(2, 20, 1e-4, {"champion"}), (20, 2, 1e-4, set()), (2, 5, 0.45, set())],
)
def test_a_version_that_is_shown_to_be_worse_in_pairs_is_refused_however_little(gained, lost, p_value, gates):
    champion = {"recall@1": 0.955, "coverage": 0.5}
    paired = {"top1": {"entities": 2000, "gained": gained, "lost": lost, "p_value": p_value}}
    facts = {**measured(), "champion": champion, "paired": paired}
    assert closed(facts) == gates
    (gate,) = (gate for gate in judge_version(facts, CERTIFICATE) if gate.gate == "champion")
    assert f"more often for {gained} and less often for {lost}" in gate.sentence


def test_the_sentence_has_the_value_that_was_seen():
    (gate,) = [gate for gate in judge_version(measured(ece=0.0123), CERTIFICATE) if gate.gate == "calibration"]
    assert "0.0123" in gate.sentence


def test_a_champion_that_this_code_cannot_read_is_said_and_holds_nothing_up():
    facts = {**measured(), "champion_unreadable": "manifest.json has format 1, this code reads format 2"}
    (gate,) = (gate for gate in judge_version(facts, CERTIFICATE) if gate.gate == "champion")
    assert gate.passed
    assert "has format 1" in gate.sentence


def shadowed(**changed: Any) -> set[str]:
    """The gates of a shadow comparison that do not open."""
    found = {"records": 1000, "conflicts": 1, "gained": 10, "lost": 12, "p_value": 0.8, "latency_ratio": 1.1}
    return {gate.gate for gate in judge_shadow({**found, **changed}) if not gate.passed}


@pytest.mark.parametrize(
    ("changed", "gates"),
    [
        ({}, set()),
        ({"conflicts": 6}, {"conflicts"}),
        ({"gained": 0, "lost": 40, "p_value": 1e-9}, {"lost_matches"}),
        ({"gained": 40, "lost": 0, "p_value": 1e-9}, set()),
        ({"gained": 60, "lost": 90, "p_value": 0.02}, set()),
        ({"latency_ratio": 2.5}, {"latency"}),
        ({"latency_ratio": None}, {"latency"}),
    ],
)
def test_a_challenger_may_not_decide_much_otherwise_than_the_champion(changed, gates):
    assert shadowed(**changed) == gates


def test_the_card_is_told_of_the_pairs_and_of_the_encoder_that_was_gone_on_from():
    paired = {"top1": {"entities": 200, "gained": 9, "lost": 2, "p_value": 0.065}}
    said = against({**measured(), "paired": paired}, began="abcdef0123456789abcdef")
    assert "more often for 9 and less often for 2 than with the champion (exact McNemar p = 0.065)" in said
    assert "went on from encoder abcdef0123456789; its ranker was trained afresh" in said
    assert against({**measured(), "paired": None}, None) == "There was no champion to compare it with."
