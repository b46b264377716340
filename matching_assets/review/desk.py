"""A reviewer's work: what lies before one person, what they answer, and how far they are.

Records with names pass through here to the page, and nowhere else. Rules, in short: a person is shown a record once;
adjudications come first, to people who have not judged the record; then the newest day's queue by priority. Who is the
second to judge a record does not see what the first said; an adjudicator does.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import polars as pl

from matching.comparison import Candidate, candidates_of
from matching.reasons import entries
from matching.records import ATTRIBUTES, IDENTIFIERS, InputError
from matching.scoring import Scorer
from matching.verdicts import ADJUDICATION, ANSWERS, NONE, SETTLED, UNSURE, WITHDRAWN, YES, settle, standing
from matching_assets.landing import DAY
from matching_assets.review.verdicts import Verdicts
from resources.registry import Registry
from resources.store import MissingError, ObjectStore
from resources.tables import Tables

QUEUE_SECONDS = 60.0
"""How long the queue is taken to be what it was."""


@dataclass(frozen=True)
class Reason:
    """A reason in words. weight: log-odds."""

    title: str
    text: str
    evidence: str
    weight: float


@dataclass(frozen=True)
class Case:
    """A record as a person judges it. row: its row of the queue; others: verdicts that an adjudicator is shown."""

    row: dict[str, Any]
    name: str
    attributes: list[tuple[str, str]]
    candidates: list[Candidate]
    reasons: list[Reason]
    others: list[dict[str, Any]]


@dataclass(frozen=True)
class Progress:
    """given: verdicts by this person today. left: records that this person can still be shown."""

    given: int
    left: int


class Desk:
    """The desk of one reviewer. MissingError: there is no queue yet; the text says what to do."""

    def __init__(
        self, reviewer: str, tables: Tables, store: ObjectStore, registry: Registry, verdicts: Verdicts
    ) -> None:
        self.reviewer, self.verdicts = reviewer, verdicts
        self._tables, self._store, self._registry = tables, store, registry
        self.unshown: dict[str, str] = {}  # why a record of the queue cannot be shown, by its id
        self._queue_read, self._queue = 0.0, pl.DataFrame()
        # Of the few that are in use: a person goes through days in order, and days are decided by one version.
        self._records = lru_cache(maxsize=4)(lambda day: tables.read("clean_records", day))
        self._scorer = lru_cache(maxsize=2)(self._load)
        self.queue()
        verdicts.publish()

    def queue(self) -> pl.DataFrame:
        """All days' queues, newest day first; of a record that was queued on several, the newest row."""
        if time.monotonic() - self._queue_read > QUEUE_SECONDS or self._queue.is_empty():
            rows = self._tables.read("review_queue").sort(DAY, "priority", descending=[True, False])
            self._queue = rows.unique("record_id", keep="first", maintain_order=True)
            self._queue_read = time.monotonic()
        return self._queue

    def next(self) -> Case | None:
        """The record to judge now, claimed; None when nothing is left for this person.

        One that cannot be shown (its day or its bundle is gone) is passed over, and told in `unshown`.
        """
        while (row := self._first()) is not None:
            try:
                case = self._case(row)
            except (InputError, MissingError) as problem:
                self.unshown[row["record_id"]] = str(problem)
                continue
            self.verdicts.claim(self.reviewer, row["record_id"])
            return case
        return None

    def answer(self, record_id: str, verdict: str, reference_id: str | None = None) -> None:
        """Give a verdict. `yes` with the reference that the record is, by default the one that was proposed.

        InputError: there is no such record in the queue, no such verdict, or the reference was not shown.
        """
        row = self._row(record_id)
        if verdict not in ANSWERS:
            raise InputError(f"{verdict!r} is no verdict", remedy=f"Use one of {', '.join(ANSWERS)}.")
        chosen = (reference_id or row["reference_id"]) if verdict == YES else None
        if verdict == YES and chosen not in [c.reference_id for c in self._case(row).candidates]:
            raise InputError("this reference was not shown", remedy="Choose one of the candidates on the page.")
        claim, now = self.verdicts.claim_of(self.reviewer), datetime.now(UTC)
        seen = claim is not None and claim.record_id == record_id
        self.verdicts.add(
            {
                "record_id": record_id,
                "reviewer": self.reviewer,
                "verdict": verdict,
                "reference_id": chosen,
                "decided_at": now,
                "seconds": round(now.timestamp() - claim.since, 1) if claim and seen else None,
                "queue_day": row[DAY],
                "why": row["why"],
                "reviewers": row["reviewers"],
                "shown_reference_id": row["reference_id"],
                "shown_decision": row["decision"],
                "shown_probability": row["probability"],
                "bundle_version": row["bundle_version"],
            }
        )

    def undo(self, record_id: str | None = None) -> None:
        """Withdraw this person's verdict on a record, or the newest of today, and put the record before them again.

        Nothing happens where there is none.
        """
        last = (self._mine().filter(record_id=record_id) if record_id else self.given_today()).tail(1)
        if last.height:
            back = {"verdict": WITHDRAWN, "reference_id": None, "decided_at": datetime.now(UTC), "seconds": None}
            self.verdicts.add(last.row(0, named=True) | back)
            self.verdicts.claim(self.reviewer, last["record_id"].item())

    def given_today(self) -> pl.DataFrame:
        """This person's verdicts of today that stand, oldest first."""
        today = pl.col("decided_at").dt.date() == datetime.now(UTC).date()
        return self._mine().filter(today)

    def progress(self) -> Progress:
        """How far this person is."""
        return Progress(self.given_today().height, self._left().height)

    def history(self, most: int = 100) -> pl.DataFrame:
        """Who decided what when, newest first. outcome: what has become of the record; mine: it may be taken back."""
        verdicts = self.verdicts.read()
        outcome = settle(verdicts).select("record_id", outcome="status")
        mine = self._mine().select("record_id", "reviewer", "decided_at", mine=pl.lit(True))
        newest = verdicts.sort("decided_at", descending=True).head(most)
        told = newest.join(outcome, on="record_id", how="left", maintain_order="left")
        return told.join(mine, on=["record_id", "reviewer", "decided_at"], how="left", maintain_order="left")

    def _mine(self) -> pl.DataFrame:
        """This person's verdicts that stand, oldest first."""
        return standing(self.verdicts.read()).filter(reviewer=self.reviewer)

    def _first(self) -> dict[str, Any] | None:
        """The row to judge now: what lies before this person already, else the first that lies before nobody else."""
        rows = self._left()
        mine = self.verdicts.claim_of(self.reviewer)
        again = rows.filter(record_id=mine.record_id) if mine else rows.head(0)
        taken = [claim.record_id for claim in self.verdicts.claims() if claim.reviewer != self.reviewer]
        free = rows.filter(~pl.col("record_id").is_in(taken))
        return next((part.row(0, named=True) for part in (again, free, rows) if part.height), None)

    def _left(self) -> pl.DataFrame:
        """What this person can be shown, adjudications first."""
        verdicts = self.verdicts.read()
        status = settle(verdicts).select("record_id", "status")
        rows = self.queue().join(status, on="record_id", how="left", maintain_order="left")
        left = rows.filter(pl.col("status").ne_missing(SETTLED), ~pl.col("record_id").is_in(list(self.unshown))).join(
            self._mine(), on="record_id", how="anti", maintain_order="left"
        )
        return left.sort(pl.col("status").eq_missing(ADJUDICATION), descending=True, maintain_order=True)

    def _row(self, record_id: str) -> dict[str, Any]:
        rows = self.queue().filter(record_id=record_id)
        if rows.is_empty():
            raise InputError("this record is not in the queue", remedy="Reload the page for the next one.")
        return rows.row(0, named=True)

    def _case(self, row: dict[str, Any]) -> Case:
        scorer = self._scorer(row["bundle_version"])
        records = self._records(str(row[DAY]))
        record = records.filter(record_id=row["record_id"]).drop(DAY)
        if record.is_empty():
            raise InputError("the record is no longer among the clean ones", remedy="Materialise review_queue again.")
        values = record.row(0, named=True)
        decision = scorer.score(record).decisions.row(0, named=True)
        known = entries()
        said = [
            Reason(known[r["code"]]["title"], known[r["code"]]["text"], r["evidence"], r["contribution"])
            for r in decision["reasons"]
        ]
        earlier = standing(self.verdicts.read()).filter(record_id=row["record_id"])
        return Case(
            row=row,
            name=values["name"],
            attributes=[(a, values[a]) for a in (*ATTRIBUTES, *IDENTIFIERS) if values.get(a)],
            candidates=candidates_of(scorer, record),
            reasons=said,
            others=earlier.to_dicts() if row.get("status") == ADJUDICATION else [],
        )

    def _load(self, version: str) -> Scorer:
        for package in self._registry.list():
            if package.lineage.get("bundle_version") == version:
                return Scorer.load(self._store.get_folder(package.bundle_digest))
        raise MissingError(f"bundle {version} is not registered, so what it decided cannot be shown")


def described(row: dict[str, Any]) -> str:
    """Why a record is in the queue, in a sentence."""
    if row.get("status") == ADJUDICATION:
        why = "Two people disagree on this record: you decide."
    elif row["why"] == "audit":
        taken = {"match": "an automatic match", "no_match": "an automatic refusal"}[row["decision"]]
        why = f"Audit: {taken}, drawn at random ({row['audit_rate']:.0%} of them are)."
    else:
        why = f"In review: the machine may not decide it alone (an answer tells about {row['information']:.2f} bits)."
    return why + (" Two people judge it." if row["reviewers"] == 2 and row.get("status") != ADJUDICATION else "")


def answered(verdict: str, reference_id: str | None) -> str:
    """A verdict in words."""
    if verdict == YES:
        return f"it is {reference_id}"
    return {NONE: "no reference is right", UNSURE: "unsure", WITHDRAWN: "withdrawn"}.get(
        verdict, "not the proposed one"
    )
