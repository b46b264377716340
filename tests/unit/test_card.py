"""The model card keeps to SageMaker's rules, says what a reviewer asks for, and names no record."""

import copy
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
import pytest
from jsonschema import Draft7Validator

from matching.card import MOST_CHARACTERS, build_card, card_markdown
from matching.certificate import certify
from matching.evaluation import evaluate
from matching.policy import Policy

Json = dict[str, Any]


def text(most: int) -> Json:
    return {"type": "string", "maxLength": most}


def filled(most: int) -> Json:
    return {"type": "string", "pattern": f"^.{{1,{most}}}$"}


def only(required: tuple[str, ...] = (), **properties: Json) -> Json:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def several(items: Json, most: int) -> Json:
    return {"type": "array", "items": items, "maxItems": most}


def metric(types: list[str], value: Json, x_axis: Json, y_axis: Json) -> Json:
    known = {"name": filled(255), "notes": text(1024), "type": {"enum": types}, "value": value}
    return only(("name", "type", "value"), **known, x_axis_name=x_axis, y_axis_name=y_axis)


# The content of a model package's card, schema version 0.1.0 of the Amazon SageMaker developer guide ("View the details
# of a model version"), field by field. CreateModelCard takes all of it and more.
POINTS = {
    "type": "array",
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    "minItems": 1,
}
NAMES = {"type": "array", "items": text(63)}
TRAINING_METRIC = only(("name", "value"), name=filled(255), notes=text(1024), value={"type": "number"})
PARAMETER = only(("name", "value"), name=filled(255), value=filled(255))
SCHEMA = only(
    model_overview=only(model_creator=text(1024), model_artifact=several(text(1024), 15)),
    intended_uses=only(
        purpose_of_model=text(2048),
        intended_uses=text(2048),
        factors_affecting_model_efficiency=text(2048),
        risk_rating={"enum": ["High", "Medium", "Low", "Unknown"]},
        explanations_for_risk_rating=text(2048),
    ),
    business_details=only(business_problem=text(2048), business_stakeholders=text(2048), line_of_business=text(2048)),
    training_details=only(
        objective_function={"type": "object"},
        training_observations=text(1024),
        training_job_details=only(
            training_arn=text(1024),
            training_datasets=several(text(1024), 15),
            training_environment=only(container_image=several(text(1024), 15)),
            training_metrics=several(TRAINING_METRIC, 50),
            user_provided_training_metrics=several(TRAINING_METRIC, 50),
            hyper_parameters=several(PARAMETER, 100),
            user_provided_hyper_parameters=several(PARAMETER, 100),
        ),
    ),
    evaluation_details={
        "type": "array",
        "items": only(
            ("name",),
            name=filled(63),
            evaluation_observation=text(2096),
            evaluation_job_arn=text(256),
            datasets=several(text(1024), 10),
            metadata={"type": "object", "additionalProperties": text(1024)},
            metric_groups={
                "type": "array",
                "items": only(
                    ("name", "metric_data"),
                    name=filled(63),
                    metric_data={
                        "type": "array",
                        "items": {
                            "anyOf": [
                                metric(["number"], {"type": "number"}, text(63), text(63)),
                                metric(["string"], text(63), text(63), text(63)),
                                metric(["boolean"], {"type": "boolean"}, text(63), text(63)),
                                metric(["linear_graph"], POINTS, text(63), text(63)),
                                metric(["bar_chart"], {"type": "array", "items": {"type": "number"}}, NAMES, text(63)),
                            ]
                        },
                    },
                ),
            },
        ),
    },
    additional_information=only(
        ethical_considerations=text(2048),
        caveats_and_recommendations=text(2048),
        custom_details={
            "type": "object",
            "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
            "additionalProperties": text(1024),
        },
    ),
)


def facts(records: int = 900, sources: int = 4) -> Json:
    """The facts of a small run with a certificate: names that must not be seen, four sources, some without a match."""
    rng = np.random.default_rng(5)
    probability = np.sort(rng.random(records))[::-1]
    right = rng.random(records) < np.clip(probability + 0.4, 0, 1)
    ids = [f"secret-{i}" for i in range(records)]
    has = rng.random(records) < 0.8
    gold = ["R1" if r else "R2" if h else None for r, h in zip(right, has, strict=True)]
    certificate = certify(probability, right, np.array(ids))
    bands = Policy(certificate, 0.2).decide(probability, np.zeros(records), np.ones(records, dtype=bool))
    made = pl.DataFrame({"record_id": ids, "reference_id": "R1", "probability": probability, "decision": bands})
    source = [f"source {i % sources}" for i in range(records)]
    given = pl.DataFrame({"record_id": ids, "name": [f"Hidden {i} Corp" for i in range(records)], "source": source})
    return {
        "name": "issuers",
        "version": "a" * 64,
        "owner": "reference data",
        "created": "2026-11-23",
        "artifacts": ["store/sha256/aaaa"],
        "datasets": {"reference": {"rows": 7992, "version": "b" * 64}},
        "labels": {"records": records, "no_match_records": 180, "entities": records},
        "label_error": "0.5 % of 100 rows read",
        "evaluation": evaluate(made, pl.DataFrame({"record_id": ids, "reference_id": gold}), slices=given),
        "evaluated_on": "Entities held out of training.",
        "baseline": {"top1": 0.5, "recall@50": 0.7, "best_f1": None},
        "certificate": asdict(certificate),
        "review_floor": 0.2,
        "hyper_parameters": {"trees": 100},
        "seeds": {"split": 7},
        "drivers": {"words of the name": 0.61},
        "lock_sha256": "c" * 64,
        "code_version": "d" * 40,
    }


@pytest.fixture(scope="module")
def given() -> Json:
    return facts()


@pytest.fixture(scope="module")
def card(given: Json) -> Json:
    return build_card(given)


@pytest.fixture(scope="module")
def page(card: Json) -> str:
    return card_markdown(card)


def complaints(card: Json) -> list[str]:
    return [f"{'/'.join(map(str, e.path))}: {e.message[:80]}" for e in Draft7Validator(SCHEMA).iter_errors(card)]


# The schema


def test_the_card_keeps_to_the_rules_of_sagemaker(card: Json) -> None:
    assert complaints(json.loads(json.dumps(card, allow_nan=False))) == []


def test_control_the_rules_are_not_empty(card: Json) -> None:
    broken = copy.deepcopy(card)
    broken["model_overview"]["model_name"] = "not in a model package's card"
    broken["intended_uses"]["risk_rating"] = "Some"
    broken["additional_information"]["custom_details"]["certificate"] = "x" * 1025
    broken["evaluation_details"][0]["metric_groups"][0]["metric_data"][0]["value"] = None
    assert len(complaints(broken)) == 4


@pytest.mark.slow
def test_the_sdk_reads_the_card_too(card: Json) -> None:
    shapes = pytest.importorskip("sagemaker.core.shapes.model_card_shapes", reason="needs the extra `aws`")
    assert shapes.ModelCardContent(**card).intended_uses.risk_rating == "Medium"


def test_texts_that_are_too_long_are_cut_and_show_it(given: Json) -> None:
    long = build_card(
        given | {"owner": "o" * 5_000, "label_error": "e" * 5_000, "hyper_parameters": {"k": "v" * 5_000}}
    )
    assert complaints(long) == []
    assert long["model_overview"]["model_creator"].endswith("…")


def test_a_run_without_matches_has_a_card(given: Json) -> None:
    made = pl.DataFrame({"record_id": ["r"], "reference_id": ["R"], "probability": [0.5], "decision": ["review"]})
    nothing = evaluate(made, pl.DataFrame({"record_id": ["r"], "reference_id": [None]}))
    assert complaints(build_card(given | {"evaluation": nothing})) == []


def test_the_fewest_facts_give_a_card_and_a_page(given: Json) -> None:
    needed = ("name", "version", "evaluation", "evaluated_on", "certificate")
    bare = build_card({key: given[key] for key in needed})
    assert complaints(bare) == []
    assert "Label error: not measured" in card_markdown(bare)


def test_hundreds_of_slices_stay_below_the_limit_of_sagemaker() -> None:
    assert len(json.dumps(build_card(facts(records=3_000, sources=500)))) < MOST_CHARACTERS


def test_a_card_that_would_be_too_long_is_refused(given: Json) -> None:
    evaluation = copy.deepcopy(given["evaluation"])
    evaluation["slices"] |= {f"column {i}": evaluation["slices"]["source"] for i in range(200)}
    with pytest.raises(ValueError, match="slice by fewer columns"):
        build_card(given | {"evaluation": evaluation})


def test_a_needed_fact_that_is_missing_is_named(given: Json) -> None:
    with pytest.raises(KeyError, match="certificate"):
        build_card({key: value for key, value in given.items() if key != "certificate"})


# What it says


def test_no_record_is_named(card: Json, page: str) -> None:
    for written in (json.dumps(card), page):
        assert "secret" not in written
        assert "Hidden" not in written


def test_the_certificate_is_printed_word_by_word(given: Json, page: str) -> None:
    assert given["certificate"]["granted"]
    assert f"## What is certified\n\n{given['certificate']['statement']}" in page


def test_a_version_without_a_certificate_says_so_in_a_heading(given: Json) -> None:
    refused = asdict(certify([], [], []))
    assert "## Nothing is certified" in card_markdown(build_card(given | {"certificate": refused}))


def test_precision_stands_with_its_counts_and_both_intervals(page: str) -> None:
    row = next(line for line in page.splitlines() if line.startswith("| precision of matches"))
    assert " wrong of " in row
    assert "95 % exact: " in row
    assert "95 % by entity: " in row


def test_slices_stand_worst_first(page: str) -> None:
    cells = [line.split("|")[2].strip() for line in page.splitlines() if line.startswith("| source ")]
    precisions = [float(cell) for cell in cells if cell != "precision"]
    assert len(precisions) == 4
    assert precisions == sorted(precisions)


def test_a_slice_without_answers_is_not_called_the_worst(given: Json) -> None:
    evaluation = copy.deepcopy(given["evaluation"])
    evaluation["slices"]["source"]["none"] = evaluation["slices"]["has_match"]["no"]
    page = card_markdown(build_card(given | {"evaluation": evaluation}))
    rows = [line for line in page.splitlines() if line.startswith(("| source ", "| none "))]
    assert rows[-1].startswith("| none | none has a match | ")


def test_labels_stand_with_their_error(page: str) -> None:
    assert "900 records, 180 no match records, 900 entities. Label error: 0.5 % of 100 rows read." in page


@pytest.mark.parametrize(
    "fact", ["seed split: `7`", f"lock sha256: `{'c' * 64}`", f"code version: `{'d' * 40}`", "b" * 64]
)
def test_what_it_takes_to_make_it_again_is_printed(page: str, fact: str) -> None:
    assert fact in page.split("## What it was made of")[1]


def test_a_pipe_in_a_value_does_not_break_the_table(given: Json) -> None:
    evaluation = copy.deepcopy(given["evaluation"])
    evaluation["slices"]["source"]["a|b"] = evaluation["slices"]["source"]["source 0"]
    assert "| a\\|b |" in card_markdown(build_card(given | {"evaluation": evaluation}))


def test_the_same_facts_give_the_same_card(given: Json, card: Json) -> None:
    assert build_card(facts()) == card


def test_the_page_says_how_the_version_did_beside_the_champion(given: Json) -> None:
    card = build_card({**given, "against": "On the same 184 held-out entities, better for 9 and worse for 2."})
    assert "On the same 184 held-out entities, better for 9 and worse for 2." in card_markdown(card)
    assert complaints(card) == []
