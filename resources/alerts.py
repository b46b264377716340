"""Alerts: somebody is told that something is wrong, once for each cause until it is cleared.

An alert says what is wrong in one sentence with one number, how bad it is, who owns it and which page says what to do.
It never holds a record's name or content: where it goes, others read along.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from filelock import FileLock

from resources import aws
from resources.store import Json, ObjectStore


@dataclass(frozen=True)
class Alert:
    """One alert. `cause` names what is broken, such as `check:ranker/precision_gate`, the same for as long as it is."""

    cause: str
    severity: Literal["WARN", "ERROR"]
    owner: str
    runbook: str
    number: float
    sentence: str


@dataclass(frozen=True)
class Waiting:
    """Messages that a webhook has not taken yet: how many, and the oldest one's time (seconds since 1970)."""

    messages: int = 0
    oldest: float | None = None


class Alerts(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface."""

    @abstractmethod
    def send(self, alert: Alert, again: bool = False) -> bool:
        """Send an alert, unless its cause is open and this is no reminder (`again`). Returns whether it was sent."""

    @abstractmethod
    def clear(self, cause: str) -> bool:
        """Close a cause, so that it will be sent again when it comes back. Returns whether it was open."""

    @abstractmethod
    def open_alerts(self) -> list[Alert]:
        """The alerts that were sent and not cleared, by cause."""

    def deliver(self) -> Waiting:
        """Try again to tell webhooks what they have not taken, and say what still waits; nothing without webhooks."""
        return Waiting()


class LocalAlerts(Alerts):
    """Lines of JSON in a file, `{event: sent|cleared, at, cause, ...}`, appended under a lock: they are the state."""

    path: str

    def send(self, alert: Alert, again: bool = False) -> bool:
        """See Alerts."""
        with self._lock():
            if alert.cause in self._open() and not again:
                return False
            self._append({"event": "sent", **asdict(alert)})
        return True

    def clear(self, cause: str) -> bool:
        """See Alerts."""
        with self._lock():
            if cause not in self._open():
                return False
            self._append({"event": "cleared", "cause": cause})
        return True

    def open_alerts(self) -> list[Alert]:
        """See Alerts."""
        with self._lock():
            return [alert for _, alert in sorted(self._open().items())]

    def _lock(self) -> FileLock:
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_name(f".{path.name}.lock"))

    def _lines(self) -> list[bytes]:
        """The whole lines. What follows the last line end was torn by a kill: it was never sent."""
        path = Path(self.path)
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []

    def _open(self) -> dict[str, Alert]:
        opened: dict[str, Alert] = {}
        for line in self._lines():
            event = json.loads(line)
            if event["event"] == "cleared":
                opened.pop(event["cause"], None)
            else:
                opened[event["cause"]] = Alert(**{field: event[field] for field in Alert.__dataclass_fields__})
        return opened

    def _append(self, event: Json) -> None:
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **event}, ensure_ascii=False)
        end = sum(len(whole) + 1 for whole in self._lines())
        with Path(self.path).open("r+b" if end else "wb") as out:
            out.truncate(end)
            out.seek(end)
            out.write(line.encode() + b"\n")


class SNSAlerts(Alerts):
    """An SNS topic; which causes are open lies in the object store.

    Published first and noted afterwards: if killed in between, an alert is sent twice rather than never.
    """

    topic_arn: str
    store: dg.ResourceDependency[ObjectStore]
    region_name: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return aws.client("sns", self.region_name)

    def send(self, alert: Alert, again: bool = False) -> bool:
        """See Alerts."""
        state = self.store.get_json(_key(alert.cause))
        if state and state["alert"] and not again:
            return False
        self.client.publish(
            TopicArn=self.topic_arn,
            Subject=f"{alert.severity}: {alert.cause}".encode("ascii", "replace").decode()[:100],
            Message=json.dumps(asdict(alert), ensure_ascii=False),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (("severity", alert.severity), ("owner", alert.owner))
            },
        )
        self.store.put_json(_key(alert.cause), {"alert": asdict(alert)})
        return True

    def clear(self, cause: str) -> bool:
        """See Alerts."""
        state = self.store.get_json(_key(cause))
        if not state or not state["alert"]:
            return False
        self.store.put_json(_key(cause), {"alert": None})
        return True

    def open_alerts(self) -> list[Alert]:
        """See Alerts."""
        states = [self.store.get_json(key) for key in self.store.list_json("alerts")]
        alerts = [Alert(**state["alert"]) for state in states if state and state["alert"]]
        return sorted(alerts, key=lambda alert: alert.cause)


def _key(cause: str) -> str:
    return f"alerts/{hashlib.sha256(cause.encode()).hexdigest()[:32]}"
