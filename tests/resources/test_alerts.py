"""The contract of alerts, held by each implementation; SNS is moto."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from resources.alerts import Alert, Alerts, LocalAlerts, SNSAlerts
from resources.store import LocalStore

ALERT = Alert(
    cause="check:ranker/precision_gate",
    severity="ERROR",
    owner="team:matching-oncall",
    runbook="docs/RUNBOOK.md#a-check-failed",
    number=0.981,
    sentence="Precision on held-out entities is 0.981, below its gate of 0.99.",
)
Channel = tuple[Alerts, Callable[[], list[dict[str, object]]]]


@pytest.fixture(params=["local", "sns"])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Channel:
    """Alerts, and what went out."""
    if request.param == "local":
        path = tmp_path / "alerts.jsonl"

        def sent() -> list[dict[str, object]]:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            return [{field: line[field] for field in asdict(ALERT)} for line in lines if line["event"] == "sent"]

        return LocalAlerts(path=str(path)), sent
    request.getfixturevalue("aws")
    import boto3
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sns import sns_backends

    topic = boto3.client("sns", region_name="us-east-1").create_topic(Name="alerts")["TopicArn"]
    published = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    alerts = SNSAlerts(topic_arn=topic, store=LocalStore(root=str(tmp_path)), region_name="us-east-1")
    return alerts, lambda: [json.loads(notification[1]) for notification in published]


def test_an_alert_says_all_that_on_call_needs(channel: Channel) -> None:
    alerts, sent = channel

    assert alerts.send(ALERT)
    assert sent() == [
        {
            "cause": "check:ranker/precision_gate",
            "severity": "ERROR",
            "owner": "team:matching-oncall",
            "runbook": "docs/RUNBOOK.md#a-check-failed",
            "number": 0.981,
            "sentence": "Precision on held-out entities is 0.981, below its gate of 0.99.",
        }
    ]


def test_a_cause_is_alerted_on_once(channel: Channel) -> None:
    alerts, sent = channel

    assert [alerts.send(replace(ALERT, number=n)) for n in (0.98, 0.97, 0.96)] == [True, False, False]
    assert len(sent()) == 1


def test_a_reminder_is_sent_although_the_cause_is_open(channel: Channel) -> None:
    alerts, sent = channel
    alerts.send(ALERT)

    assert alerts.send(replace(ALERT, number=0.97), again=True)
    assert [alert["number"] for alert in sent()] == [0.981, 0.97]


def test_a_cause_that_was_cleared_is_alerted_on_again(channel: Channel) -> None:
    alerts, sent = channel
    alerts.send(ALERT)

    assert alerts.clear(ALERT.cause)
    assert alerts.open_alerts() == []
    assert alerts.send(ALERT)
    assert len(sent()) == 2


def test_clearing_what_is_not_open_says_so(channel: Channel) -> None:
    assert not channel[0].clear("run:daily_matching")


def test_two_causes_are_two_alerts(channel: Channel) -> None:
    alerts, _ = channel
    other = replace(ALERT, cause="run:daily_matching")
    alerts.send(other)
    alerts.send(ALERT)

    assert alerts.open_alerts() == [ALERT, other]
