import csv
import io
import json

import polars as pl
import pytest

from matching.runtime_input import RequestError
from matching.runtime_output import Answer, answer_body, answer_type

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
REASONS = pl.List(
    pl.Struct({"code": pl.String, "direction": pl.String, "contribution": pl.Float64, "evidence": pl.String})
)
DECISIONS = pl.DataFrame(
    {
        "record_id": ['a"b', "c"],
        "decision_id": ["0" * 32, "1" * 32],
        "reference_id": ["R1", None],
        "probability": [0.75, 0.0],
        "decision": ["review", "no_match"],
        "runner_up_id": ["R2", None],
        "runner_up_probability": [0.1, None],
        "reasons": [[{"code": "SAME_NAME", "direction": "for", "contribution": 1.5, "evidence": "Œuvre, plc"}], []],
        "contrast": [[{"code": "SAME_NAME", "difference": 0.5}], []],
        "margin": [1.1, None],
        "degraded": [False, False],
        "bundle_version": ["v1", "v1"],
    },
    schema_overrides={"reasons": REASONS},
)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", CSV),
        ("Text/CSV", CSV),
        ("application/jsonlines; charset=utf-8", LINES),
        ("image/png, text/csv;q=0.5, application/jsonlines;q=0.8", LINES),
        ("application/json;q=0, text/csv;q=0.1", CSV),
        ("application/json;q=high, text/csv", CSV),
    ],
)
def test_the_weightiest_acceptable_type_is_answered(accept, kind):
    assert answer_type(accept) == kind


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "application/x-recordio-protobuf"])
def test_what_cannot_be_answered_is_not_acceptable(accept):
    with pytest.raises(RequestError) as caught:
        answer_type(accept)
    assert caught.value.status == 406


def test_a_json_answer_carries_the_version_and_every_decision():
    answer = json.loads(answer_body(DECISIONS, "v1", JSON))
    assert answer == {"bundle_version": "v1", "decisions": DECISIONS.to_dicts()}


def test_a_json_answer_is_what_openapi_says():
    Answer.model_validate_json(answer_body(DECISIONS, "v1", JSON))


def test_a_json_lines_answer_has_a_line_for_each_decision():
    lines = answer_body(DECISIONS, "v1", LINES).splitlines()
    assert [json.loads(line) for line in lines] == DECISIONS.to_dicts()


def test_a_csv_answer_holds_its_reasons_as_json():
    rows = list(csv.DictReader(io.StringIO(answer_body(DECISIONS, "v1", CSV).decode())))
    assert [row["record_id"] for row in rows] == ['a"b', "c"]
    assert json.loads(rows[0]["reasons"]) == DECISIONS["reasons"].to_list()[0]


def test_no_decisions_are_an_empty_list():
    assert json.loads(answer_body(DECISIONS.clear(), "v1", JSON))["decisions"] == []
