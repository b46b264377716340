"""Webhooks: alerts are told by HTTP as well, beside the file or topic that is their record.

They speak Slack's JSON (docs.slack.dev, "Sending messages using incoming webhooks"), which Mattermost, Rocket.Chat and
Discord (`/slack`) take too.

A message is put down in the object store before it is posted, and taken away when the other side has answered with
2xx. What could not be posted waits there in its order, and `deliver` tries again: a receiver that is down costs the
caller one attempt of `PATIENCE_SECONDS`, never the alert. Killed in between, a message is posted twice rather than
never.

A webhook's address is a secret. It is read from the environment when it is needed: it is in no resource's settings
(Dagster's UI shows them), in no log and in no document of the store.
"""

import json
import logging
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from http.client import HTTPException
from typing import Any

import dagster as dg

from resources.alerts import Alert, Alerts, Waiting
from resources.store import ConflictError, Json, ObjectStore

ADDRESSES = "MATCHING_ALERT_WEBHOOKS"
"""The variable with the addresses, separated by blanks."""
PAGES = "MATCHING_RUNBOOK_URL"
"""The variable with what stands before `docs/runbooks/...` where people read it, such as a repository's web page."""

PATIENCE_SECONDS = 3.0
IN_FLIGHT_SECONDS = 30.0
"""A message this young may still be on its way from another thread: `deliver` leaves it alone."""
COLOURS = {"ERROR": "#cf222e", "WARN": "#bf8700", "cleared": "#1a7f37"}
log = logging.getLogger(__name__)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body."""

    def redirect_request(self, *_: Any) -> None:
        """None: the redirect is the answer, and no 2xx."""


class AlertsWithWebhooks(Alerts):
    """The alerts of `record`, told to every address of MATCHING_ALERT_WEBHOOKS besides."""

    record: dg.ResourceDependency[Alerts]
    store: dg.ResourceDependency[ObjectStore]

    def send(self, alert: Alert, again: bool = False) -> bool:
        """See Alerts."""
        if alert.cause in {known.cause for known in self.record.open_alerts()} and not again:
            return False
        return self._told(slack_message(alert), lambda: self.record.send(alert, again))

    def clear(self, cause: str) -> bool:
        """See Alerts."""
        known = [alert for alert in self.record.open_alerts() if alert.cause == cause]
        if not known:
            return False
        return self._told(slack_message(known[0], cleared=True), lambda: self.record.clear(cause))

    def open_alerts(self) -> list[Alert]:
        """See Alerts."""
        return self.record.open_alerts()

    def deliver(self) -> Waiting:
        """See Alerts. In order, up to the first that is not taken."""
        ages: list[float] = []
        for number, address in enumerate(addresses()):
            waiting = self._outbox(number)
            for message in list(waiting):
                if time.time() - message["at"] < IN_FLIGHT_SECONDS or not post(address, message["body"], number):
                    break
                self._change(number, partial(_without, identity=message["id"]))
                waiting.remove(message)
            ages += [message["at"] for message in waiting]
        return Waiting(len(ages), min(ages, default=None))

    def _told(self, body: Json, keep: Callable[[], bool]) -> bool:
        """Put a message down for each address, keep the record, and post what nothing waits before."""
        message: Json = {"id": uuid.uuid4().hex, "at": time.time(), "body": body}
        known = addresses()
        first = [not self._change(n, lambda before: [*before, message]) for n in range(len(known))]
        kept = keep()
        for number, address in enumerate(known):
            # Not kept: somebody else has told of it at the same time.
            if not kept or (first[number] and post(address, body, number)):
                self._change(number, partial(_without, identity=message["id"]))
        return kept

    def _outbox(self, number: int) -> list[Json]:
        return list((self.store.get_json(_key(number)) or {"waiting": []})["waiting"])

    def _change(self, number: int, change: Callable[[list[Json]], list[Json]]) -> list[Json]:
        """Change what waits for an address. Returns what waited before; whoever comes at the same time comes after."""
        while True:
            before = self.store.get_json(_key(number))
            waiting = list(before["waiting"]) if before else []
            try:
                self.store.put_json(_key(number), {"waiting": change(waiting)}, expected=before)
            except ConflictError:
                continue
            return waiting


def addresses() -> Sequence[str]:
    """The addresses, from the environment."""
    return os.environ.get(ADDRESSES, "").split()


def slack_message(alert: Alert, cleared: bool = False) -> Json:
    """What a channel reads of an alert: severity, sentence, and as fields the number, the owner, the page, the cause.

    `text` is what a notification shows, and all that a receiver without attachments needs.
    """
    word = "cleared" if cleared else alert.severity
    sentence = "It is well again." if cleared else alert.sentence
    base = os.environ.get(PAGES, "").rstrip("/")
    page = f"<{base}/{alert.runbook}|{alert.runbook}>" if base else alert.runbook
    told = (("Number", f"{alert.number:.6g}"), ("Owner", _plain(alert.owner)), ("Runbook", page))
    fields = [{"title": title, "value": value, "short": title != "Runbook"} for title, value in told]
    attachment = {"color": COLOURS[word], "fallback": _plain(sentence), "text": _plain(sentence), "fields": fields}
    return {"text": f"*{word}* `{_plain(alert.cause)}`: {_plain(sentence)}", "attachments": [attachment]}


def post(address: str, body: Json, number: int) -> bool:
    """Post a message; whether it was taken. `number`: what the log calls the address, which it must not tell."""
    if not address.startswith(("https://", "http://")):
        log.warning("webhook %d is no http(s) address: the alert waits", number)
        return False
    try:
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
            address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=PATIENCE_SECONDS):
            return True
    except urllib.error.HTTPError as problem:
        log.warning("webhook %d answered %d: the alert waits", number, problem.code)
    except (OSError, HTTPException, ValueError) as problem:
        log.warning("webhook %d cannot be reached (%s): the alert waits", number, type(problem).__name__)
    return False


def _plain(text: str) -> str:
    """Text as Slack wants it: three characters would be markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without(waiting: list[Json], identity: str) -> list[Json]:
    return [message for message in waiting if message["id"] != identity]


def _key(number: int) -> str:
    return f"webhooks/{number}"
