"""What a person reads on the terminal says what the numbers say."""

from types import SimpleNamespace

import polars as pl
import pytest

from matching.evaluation import evaluate
from matching_assets.wording import share, told_certificate, told_decision, told_demo, told_metrics

NAMES = {"R1": "ACME CORP", "R2": "ACME LTD"}
MATCHED = {
    "reference_id": "R1",
    "probability": 0.9971,
    "decision": "match",
    "runner_up_id": "R2",
    "runner_up_probability": 0.02,
    "reasons": [
        {"code": "NAME_WORDS_AGREE", "direction": "supports", "contribution": 3.25, "evidence": "shared: acme"},
        {"code": "PLACE_DIFFERS", "direction": "against", "contribution": -1.0, "evidence": "country: DE / US"},
        {"code": "OTHER_EVIDENCE", "direction": "neutral", "contribution": 0.5, "evidence": ""},
    ],
    "contrast": [{"code": "LEGAL_FORM_AGREES", "difference": 1.75}],
}
NOTHING = {
    "reference_id": None,
    "probability": 0.0,
    "decision": "no_match",
    "runner_up_id": None,
    "runner_up_probability": None,
    "reasons": [{"code": "NO_CANDIDATE", "direction": "neutral", "contribution": 0.0, "evidence": ""}],
    "contrast": [],
}


@pytest.fixture(scope="module")
def metrics():
    decisions = pl.DataFrame(
        {
            "record_id": ["a", "b", "c", "d"],
            "reference_id": ["R1", "R2", "R1", None],
            "probability": [0.99, 0.98, 0.4, 0.0],
            "decision": ["match", "match", "review", "no_match"],
        }
    )
    labels = pl.DataFrame({"record_id": ["a", "b", "c", "d"], "reference_id": ["R1", None, "R1", None]})
    return evaluate(decisions, labels)


def test_a_decision_is_told_with_its_reasons_in_words():
    told = told_decision(MATCHED, NAMES)
    assert told.startswith("match  R1 ACME CORP, probability 0.997")
    assert "+3.25  The words of the name agree  shared: acme" in told
    assert "-1.00  The place differs" in told


def test_the_printed_weights_add_up_to_the_printed_sum():
    lines = [line.split() for line in told_decision(MATCHED, NAMES).splitlines()]
    weights = [float(words[0]) for words in lines[1:4]]
    assert sum(weights) == float(lines[4][0]) == 2.75


def test_the_runner_up_is_told_with_what_sets_it_apart():
    told = told_decision(MATCHED, NAMES).splitlines()
    assert told[-2:] == ["  runner-up R2 ACME LTD, probability 0.020", "    +1.75  The legal form agrees"]


def test_a_record_without_a_candidate_has_a_reason_and_no_weights():
    assert told_decision(NOTHING, NAMES).splitlines() == [
        "no_match  no candidate, probability 0.000",
        "           No candidate",
    ]


def test_metrics_tell_precision_with_its_interval_and_coverage(metrics):
    assert "matched automatically       50.0%, right: 50.0% [95 %: 1.3% to 98.7%]" in told_metrics(metrics)


def test_metrics_tell_matches_of_records_that_have_none(metrics):
    assert "matched, but had no match   1 (50.0%)" in told_metrics(metrics)


def test_metrics_of_a_run_without_a_match_tell_no_precision(metrics):
    none = metrics | {"precision": None, "coverage": 0.0}
    assert "matched automatically       0.0%\n" in told_metrics(none)


def test_a_share_of_nothing_is_a_dash():
    assert share(None) == "-"


def test_a_certificate_is_told_whole():
    statement = "No certificate: " + "labels are missing " * 20
    assert told_certificate(statement).removeprefix("Certificate: ").split() == statement.split()


def test_the_demo_tells_metrics_baseline_examples_endpoint_and_card(metrics):
    result = SimpleNamespace(
        metrics=metrics,
        baseline={"top1": 0.875},
        certificate="Granted.",
        examples=[SimpleNamespace(why="a match", name="Acme Corp.", decision=MATCHED, reference_names=NAMES)],
        card="store/card.md",
        endpoint="http://127.0.0.1:8080",
        asked={"name": "Acme"},
        answer=MATCHED,
        latency_ms=3.21,
    )
    told = told_demo(result)
    wanted = ["@1 87.5%", "Granted.", "Acme Corp.  (a match)", "/invocations answered in 3.2 ms", "store/card.md"]
    assert [text for text in wanted if text not in told] == []
