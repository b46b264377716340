"""The app asked what its OpenAPI page allows and what it does not (schemathesis): no 5xx, no match from garbage.

MATCHING_SCHEMA_EXAMPLES=2000 pytest tests/unit/test_runtime_schema.py     for longer
"""

import json
import os
from dataclasses import replace

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from starlette.testclient import TestClient

from matching.runtime_app import Service, create_app

EXAMPLES = int(os.environ.get("MATCHING_SCHEMA_EXAMPLES", "40"))
CHECKED = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


OPERATIONS = [("/ping", "GET"), ("/metrics", "GET"), ("/invocations", "POST")]


@pytest.fixture
def api(small_scorer):
    # The small bundle promises nine right of ten and matches from a probability of a quarter; what is served does not.
    certificate = replace(small_scorer.policy.certificate, threshold=0.9)
    scorer = replace(small_scorer, policy=replace(small_scorer.policy, certificate=certificate))
    app = create_app(Service(scorer))
    with TestClient(app, raise_server_exceptions=False):
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [*((*one, GenerationMode.POSITIVE) for one in OPERATIONS), (*OPERATIONS[-1], GenerationMode.NEGATIVE)],
)
def test_whatever_is_asked_is_answered_or_refused_and_garbage_is_never_matched(api, path, method, mode):
    statuses = set()

    @CHECKED
    @given(api[path][method].as_strategy(generation_mode=mode))
    def ask(case):
        response = case.call()
        statuses.add(int(response.status_code))
        case.validate_response(response, checks=[not_a_server_error])
        if response.status_code == 200 and "json" in response.headers["content-type"][0] and path == "/invocations":
            matched = [one for one in json.loads(response.content)["decisions"] if one["decision"] == "match"]
            assert matched == [], case.body

    ask()
    assert 200 in statuses or mode is GenerationMode.NEGATIVE


def test_every_operation_is_asked(api):
    assert sorted((one.ok().path, one.ok().method.upper()) for one in api.get_all_operations()) == sorted(OPERATIONS)
