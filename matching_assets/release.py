"""From a measured version to one that serves: registered, approved or rejected, deployed, rolled back.

The registry says what may serve and the endpoint what does. A version is deployed before it becomes the champion, so
that the pointer never names one that does not answer; a run that was killed in between is simply run again.
"""

import hashlib
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from matching.bundle import Manifest, verify_bundle
from matching.card import build_card
from matching.experiments import Comparison, compare
from matching.files import folder_digest
from matching.paired import told
from matching.scoring import Scorer
from matching_assets.challenger import Sources, pack
from matching_assets.folders import facts_in
from matching_assets.gates import Gate, decide_status
from matching_assets.owners import MODELS
from matching_assets.partitions import newest_of_each
from matching_assets.warm_start import began_at
from resources.alarms import Alarm
from resources.endpoint import Endpoint, EndpointError, EndpointStatus, single
from resources.registry import ModelPackage, NotApprovedError, Registry, Status
from resources.rollout import ALL_AT_ONCE, Rollout
from resources.store import ConflictError, MissingError, ObjectStore

ENDPOINT = "matching"
RULE = "rule"
WAITING: Status = "PendingManualApproval"
SLOWEST_SECONDS = 5.0
SHADOWED = 1000
"""Records on which a challenger is compared with the champion."""
ALARMS = (
    Alarm("error_share", 0.01, period_seconds=10),
    Alarm("latency_p99_ms", 1000.0, periods=2, period_seconds=10),
    Alarm("degraded_share", 0.05, periods=2, period_seconds=10),
)
"""What turns a rollout back, unless the job says otherwise. On SageMaker the shortest period is a minute."""


@dataclass(frozen=True)
class Released:
    """A registered version: its bundle in the store, the bundle's manifest, and its package."""

    bundle: Path
    manifest: Manifest
    package: ModelPackage


def register(
    sources: Sources, evaluation: Path, drivers: dict[str, float], store: ObjectStore, registry: Registry
) -> Released:
    """Pack the bundle, store it and register it. One that is registered already keeps its version and decision."""
    digests = {name: folder_digest(folder) for name, folder in asdict(sources).items()}
    trained_on = facts_in(sources.policy)["trained_on"]
    with tempfile.TemporaryDirectory() as scratch:
        manifest = pack(sources, evaluation, {**trained_on, "sources": digests}, Path(scratch) / "bundle")
        digest = store.put_folder(Path(scratch) / "bundle")
    measured, certificate = facts_in(evaluation), manifest.facts["certificate"]
    began = began_at(sources.encoder)
    card = build_card(card_facts(manifest, trained_on, measured, drivers, store.uri(digest), began))
    lineage = {"bundle_version": manifest.version, "evaluation": folder_digest(evaluation), **digests}
    version = registry.register(digest, flat(measured), certificate, card, lineage)
    return Released(store.get_folder(digest), manifest, registry.get(version))


def card_facts(
    manifest: Manifest, trained_on: dict[str, Any], measured: dict[str, Any], drivers: dict[str, float], artifact: str,
    began: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the card is built from. `began`: the digest of the encoder that training went on from."""
    counts, data, config = trained_on["counts"], trained_on["data"], trained_on["config"]
    rows = {"reference": counts["references"], "records": counts["records"], "labels": counts["labels"]}
    plain = {key: value for key, value in config.items() if not isinstance(value, dict)}
    return {
        "name": ENDPOINT,
        "version": manifest.version,
        "owner": MODELS,
        "artifacts": [artifact],
        "datasets": {name: {"rows": rows[name], "version": digest} for name, digest in data.items()},
        "labels": {key: value for key, value in counts.items() if key.endswith(("labels", "entities"))},
        "evaluation": measured["metrics"],
        "evaluated_on": f"{measured['metrics']['entities']:,} held-out entities: nothing was learnt from them.",
        "baseline": measured["baseline"],
        "against": against(measured, began),
        "certificate": manifest.facts["certificate"],
        "hyper_parameters": plain,
        "seeds": {"training": config["seed"]},
        "drivers": drivers,
        "lock_sha256": trained_on["code"].get("lock_sha256", "unknown"),
        "code_version": trained_on["code"].get("commit", "unknown"),
    }


def against(measured: dict[str, Any], began: str | None) -> str:
    """How the version did beside the champion, and what it has of it."""
    if measured["paired"] is None:
        return "There was no champion to compare it with."
    start = f" Its encoder went on from encoder {began[:16]}; its ranker was trained afresh." if began else ""
    return told(measured["paired"]) + start


def flat(measured: dict[str, Any]) -> dict[str, float]:
    """The figures of an evaluation that are single numbers."""
    return {name: value for name, value in measured["metrics"].items() if isinstance(value, int | float)}


def decide(bundle: Path, gates: Sequence[Gate], registry: Registry, shadow: bool = False) -> ModelPackage:
    """Approve or reject the version of a bundle by its gates. A person's earlier decision on it stands.

    `shadow`: what passes waits for a person's approval, unless the same version was approved before.
    """
    package = by_digest(registry, folder_digest(bundle))
    if package.history[-1]["by"] not in ("registration", RULE):
        return package
    status = decide_status(list(gates))
    if shadow and status == "Approved":
        status = "Approved" if package.status == "Approved" else WAITING
    package = registry.set_status(package.version, status, RULE, [gate.to_json() for gate in gates])
    champion, wants = registry.champion(), registry.challenger()
    if status == "Approved" and not (champion and champion.version == package.version):
        # Of two trainings at once one becomes the challenger; that the other lost is in the registry's log.
        with suppress(ConflictError):
            registry.challenge(package.version, expected=wants.version if wants else None)
    return package


def by_digest(registry: Registry, digest: str) -> ModelPackage:
    """The package of a bundle. MissingError: it was never registered."""
    for package in registry.list():
        if package.bundle_digest == digest:
            return package
    raise MissingError(f"no version is registered for bundle {digest}: materialise model_package first")


def newest_approved(registry: Registry, by: str = "") -> ModelPackage:
    """The newest version that `by` may bring into service. NotApprovedError says why the last few may not."""
    packages = registry.list()
    for package in reversed(packages):
        if registry.objection(package, by) is None:
            return package
    why = [f"{registry.objection(package, by)}. {_objections(package)}" for package in packages[-3:]]
    raise NotApprovedError(f"nothing to deploy: {' '.join(why) or 'no version is registered; run `retrain`.'}")


def deploy(
    package: ModelPackage,
    store: ObjectStore,
    endpoint: Endpoint,
    rollout: Rollout = ALL_AT_ONCE,
    alarms: Sequence[Alarm] = ALARMS,
) -> tuple[EndpointStatus, Manifest]:
    """Serve an approved version once its bundle is verified; it stays if it then answers as it should.

    Traffic moves to it by `rollout`, and back when one of `alarms` rings meanwhile.
    NotApprovedError, BundleError, EndpointError: the version before serves on, or serves again.
    """
    if package.status != "Approved":
        raise NotApprovedError(f"version {package.version} is {package.status}: only an approved version is deployed")
    bundle = store.get_folder(package.bundle_digest)
    manifest = verify_bundle(bundle)
    lineage = {"registry_version": str(package.version), **package.lineage}
    before = serving(endpoint)
    spec = single(ENDPOINT, package.bundle_digest, manifest.version, lineage)
    status = endpoint.deploy(replace(spec, rollout=rollout, alarms=tuple(alarms)))
    answer = ask(bundle, manifest.version, endpoint)
    if not answer.passed:
        if before is None:
            endpoint.delete(ENDPOINT)
        elif before.version != status.version:
            endpoint.rollback(ENDPOINT)
            endpoint.settle(ENDPOINT)
        raise EndpointError(f"{answer.sentence} What served before serves again; the endpoint's log says more.")
    return status, manifest


def shadow(champion: Path, challenger: Path, records: pl.LazyFrame) -> Comparison:
    """What two bundles decide about the newest records: as shadow traffic would, without the traffic."""
    asked = newest_of_each(records).sort("record_id").tail(SHADOWED)
    decided = []
    for bundle in (champion, challenger):
        scorer = Scorer.load(bundle)
        scorer.score(asked.head(1), reasons=False)
        began = time.process_time()  # of the processor: what else the machine does is no fault of a version
        found = scorer.score(asked, reasons=False).decisions.select("record_id", "decision", "reference_id")
        decided.append(found.with_columns(ms=pl.lit(1000 * (time.process_time() - began) / max(asked.height, 1))))
    pairs = decided[0].join(decided[1], on="record_id", suffix="_shadow").sort("record_id")
    return compare(
        pairs.select(
            token=pl.col("record_id").map_elements(token_of, return_dtype=pl.String),
            band="decision",
            shadow_band="decision_shadow",
            reference_id="reference_id",
            shadow_reference_id="reference_id_shadow",
            ms="ms",
            shadow_ms="ms_shadow",
        )
    )


def token_of(record_id: str) -> str:
    """What stands for a record where its id may not go."""
    return hashlib.blake2b(record_id.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What the endpoint said to one record: is it right and in time, how long it took, and both in a sentence."""

    passed: bool
    seconds: float
    sentence: str


def ask(bundle: Path, version: str, endpoint: Endpoint, variant: str | None = None) -> Answer:
    """Ask the endpoint, or one variant, for one golden record, which the bundle also decides in this process."""
    golden = pl.read_parquet(bundle / "golden.parquet").head(1).drop("reference_id", "decision")
    expected = Scorer.load(bundle).score(golden, reasons=False).decisions.row(0, named=True)
    record = {name: value for name, value in golden.row(0, named=True).items() if value is not None}
    began = time.monotonic()
    (answer,) = endpoint.invoke(ENDPOINT, [record], variant)
    seconds = time.monotonic() - began
    same = all(answer[key] == expected[key] for key in ("reference_id", "decision"))
    how = "as" if same else "otherwise than"
    sentence = f"Version {answer['bundle_version']} answered in {1000 * seconds:.0f} ms, {how} in batch."
    return Answer(same and answer["bundle_version"] == version and seconds <= SLOWEST_SECONDS, seconds, sentence)


def serving(endpoint: Endpoint) -> EndpointStatus | None:
    """How the endpoint is; None before the first deployment."""
    try:
        return endpoint.describe(ENDPOINT)
    except MissingError:
        return None


def _objections(package: ModelPackage) -> str:
    """What the gates of the last decision objected to."""
    return " ".join(gate["sentence"] for gate in package.history[-1]["gates"] if not gate["passed"])
