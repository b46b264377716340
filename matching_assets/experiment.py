"""An A/B of the champion (A) and the newest approved version (B): started, looked at, ended.

That one is under way is what the endpoint says: two variants with traffic. What was learnt lies in the object store
below `experiments/`: outcomes in the order in which labels made them known, and only ever added to, which is the order
that the sequential test needs. The traffic is shared out by the record's content (resources/routing.py), so a record
stays with its side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from matching.ab import Judged, Outcome, judge_outcomes, outcomes_of
from matching.bundle import verify_bundle
from matching_assets.release import ENDPOINT, ask, deploy, newest_approved, serving
from resources.endpoint import VARIANT, Endpoint, EndpointError, EndpointStatus
from resources.registry import Registry
from resources.rollout import EndpointSpec, Variant
from resources.store import ObjectStore

CHALLENGER = "challenger"
"""The variant of B; A keeps the name of an only variant."""
SIDES = {VARIANT: "A", CHALLENGER: "B"}
STARTED = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Experiment:
    """The A/B that is under way. `started`: seconds since 1970; `share`: of the traffic that B is to get."""

    name: str
    started: float
    share: float
    digests: dict[str, str]
    versions: dict[str, str]


def under_way(endpoint: Endpoint) -> Experiment | None:
    """The A/B that is under way, or None."""
    status = serving(endpoint)
    sides = {SIDES[v.name]: v for v in status.variants if v.desired_weight and v.name in SIDES} if status else {}
    if status is None or "experiment" not in status.lineage or "B" not in sides:
        return None
    name = status.lineage["experiment"]
    return Experiment(
        name=name,
        started=datetime.strptime(name, STARTED).replace(tzinfo=UTC).timestamp(),
        share=sides["B"].desired_weight,
        digests={side: variant.bundle_digest for side, variant in sides.items()},
        versions={side: variant.version for side, variant in sides.items()},
    )


def start(registry: Registry, store: ObjectStore, endpoint: Endpoint, share: float, by: str = "") -> EndpointStatus:
    """Give B this share of the traffic; of an A/B that is under way with the same two versions, another share.

    NotApprovedError; EndpointError: there is nothing to compare, another A/B is under way, or one side does not answer
    as its bundle decides in batch: then what served before serves again.
    """
    champion, package = registry.champion(), newest_approved(registry, by)
    if champion is None or champion.version == package.version:
        raise EndpointError("there is no approved version beside the champion to compare it with")
    digests = {"A": champion.bundle_digest, "B": package.bundle_digest}
    known = under_way(endpoint)
    if known is not None and known.digests != digests:
        raise EndpointError(f"an A/B of other versions is under way since {known.name}: end it with `matching ab stop`")
    bundles = {side: store.get_folder(digest) for side, digest in digests.items()}
    manifests = {side: verify_bundle(bundle) for side, bundle in bundles.items()}
    weights = {"A": 1 - share, "B": share}
    variants = tuple(
        Variant(name, digests[side], manifests[side].version, weights[side]) for name, side in SIDES.items()
    )
    name = known.name if known else datetime.now(UTC).strftime(STARTED)
    status = endpoint.deploy(EndpointSpec(ENDPOINT, variants, lineage={"experiment": name, "started_by": by}))
    for variant, side in SIDES.items():
        answer = ask(bundles[side], manifests[side].version, endpoint, variant)
        if not answer.passed:
            endpoint.rollback(ENDPOINT)
            endpoint.settle(ENDPOINT)
            raise EndpointError(f"{side}: {answer.sentence} What served before serves again.")
    return status


def stop(registry: Registry, store: ObjectStore, endpoint: Endpoint) -> EndpointStatus:
    """End the A/B: the champion has all of the traffic again. EndpointError: none is under way."""
    champion = registry.champion()
    if champion is None or under_way(endpoint) is None:
        raise EndpointError("no A/B is under way")
    return deploy(champion, store, endpoint)[0]


def look(endpoint: Endpoint, store: ObjectStore, labels: pl.DataFrame) -> tuple[Experiment, Judged] | None:
    """Add what labels have made known since the last look, and judge. None: no A/B is under way.

    ConflictError: somebody else looked at the same time; look again.
    """
    experiment = under_way(endpoint)
    if experiment is None:
        return None
    before = store.get_json(f"experiments/{experiment.name}")
    known: list[dict[str, Any]] = before["outcomes"] if before else []
    counted = {row["token"] for row in known}
    answers = pl.DataFrame(
        [
            row
            for row in endpoint.answers(ENDPOINT, labels["record_id"].to_list(), experiment.started)
            if row["token"] not in counted
        ],
        schema=dict.fromkeys(("record_id", "token", "variant", "decision", "reference_id"), pl.String),
    )
    found = outcomes_of(answers, labels, SIDES).join(answers.select("record_id", "token"), on="record_id")
    outcomes = [*known, *found.drop("record_id").to_dicts()]
    judged = judge_outcomes([Outcome(row["side"], row["right"], row["wrong"]) for row in outcomes])
    document = {"versions": experiment.versions, "verdict": judged.verdict, "outcomes": outcomes}
    store.put_json(f"experiments/{experiment.name}", document, expected=before)
    return experiment, judged
