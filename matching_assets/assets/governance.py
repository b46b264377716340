"""Stage 7, governance: how good a version is, what is written about it, and whether it may serve."""

import json
from pathlib import Path

import dagster as dg
import polars as pl

from matching.bundle import read_manifest
from matching.card import card_markdown
from matching.files import folder_digest
from matching_assets.challenger import Sources, assemble, measure
from matching_assets.folders import Folder, facts_in
from matching_assets.gates import judge_version
from matching_assets.owners import MODEL_RISK, MODELS
from matching_assets.release import by_digest, decide, register
from matching_assets.reporting import report
from matching_assets.settings import Training
from matching_assets.tags import SHADOW_TAG
from resources.registry import Registry
from resources.store import ObjectStore


class ApprovalConfig(dg.Config):
    """`without_automatic_matches`: a version without a certificate may serve.

    All that is not refused is then reviewed.
    """

    without_automatic_matches: bool = False


@dg.asset(
    group_name="governance",
    owners=[MODELS],
    kinds={"json"},
    code_version="1",
    io_manager_key="folder_io_manager",
    pool="training",
)
def evaluation(
    retrieval_index: Path,
    encoder: Path,
    ranker: Path,
    decision_policy: Path,
    clean_records: pl.LazyFrame,
    labels: pl.DataFrame,
    training: Training,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[Folder]:
    """How good the version is on entities it learnt nothing from, beside plain TF-IDF and the version in production."""
    champion = registry.champion()
    measured = measure(
        assemble(Sources(retrieval_index, encoder, ranker, decision_policy)),
        clean_records,
        labels,
        training.fit_config(),
        champion=store.get_folder(champion.bundle_digest) if champion else None,
    )
    folder = Folder(facts=measured.facts, tables=measured.tables)
    return report(folder, numbers=measured.numbers(), pictures=measured.pictures(training.target_precision))


@dg.asset(
    group_name="governance",
    owners=[MODELS],
    kinds={"json"},
    code_version="1",
    io_manager_key="folder_io_manager",
)
def model_package(
    retrieval_index: Path,
    encoder: Path,
    ranker: Path,
    decision_policy: Path,
    evaluation: Path,
    global_explanations: pl.DataFrame,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[Path]:
    """The bundle: all that scoring needs in one folder that never changes, registered with its card and lineage."""
    sources = Sources(retrieval_index, encoder, ranker, decision_policy)
    drivers = dict(global_explanations.select("feature", "share").iter_rows())
    released = register(sources, evaluation, drivers, store, registry)
    return report(
        released.bundle,
        numbers={"registry_version": released.package.version, "references": released.manifest.facts["references"]},
        facts={"bundle_version": released.manifest.version, "lineage": released.package.lineage},
    )


@dg.asset(
    group_name="governance",
    owners=[MODEL_RISK],
    kinds={"markdown", "json"},
    code_version="1",
    io_manager_key="folder_io_manager",
)
def model_card(model_package: Path, registry: dg.ResourceParam[Registry]) -> dg.MaterializeResult[Folder]:
    """What the version is for, what it was made of, how good it is and where it is not: for the reviewer."""
    package = by_digest(registry, folder_digest(model_package))
    page = card_markdown(package.card)
    return report(
        Folder(facts=package.card, texts={"card.md": page}),
        numbers={"registry_version": package.version, "characters": len(json.dumps(package.card))},
        pictures={"card": page},
    )


@dg.asset(
    group_name="governance",
    owners=[MODEL_RISK],
    kinds={"json"},
    code_version="1",
    deps=["model_card"],
    io_manager_key="folder_io_manager",
)
def approval(
    context: dg.AssetExecutionContext,
    config: ApprovalConfig,
    model_package: Path,
    evaluation: Path,
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[Folder]:
    """Whether the version may serve: every gate with the value it saw. A person's earlier decision stands.

    What was learnt in the shadow is judged by the same gates, and waits for a person.
    """
    manifest = read_manifest(model_package)
    gates = judge_version(facts_in(evaluation), manifest.facts["certificate"], config.without_automatic_matches)
    package = decide(model_package, gates, registry, learnt_in_the_shadow(context))
    facts = {"status": package.status, "bundle_version": manifest.version, "registry_version": package.version}
    return report(
        Folder(facts={**facts, "gates": [gate.to_json() for gate in gates]}),
        numbers={"gates_failed": sum(not gate.passed for gate in gates)},
        tables={"gates": pl.DataFrame([gate.to_json() for gate in gates], infer_schema_length=None)},
        facts=facts,
    )


def learnt_in_the_shadow(context: dg.AssetExecutionContext) -> bool:
    """Whether the run that trained the ranker was tagged so: a new reference makes nothing else of its models."""
    made = context.instance.get_latest_materialization_event(dg.AssetKey("ranker"))
    trained = context.instance.get_run_by_id(made.run_id) if made else None
    return (trained or context.run).tags.get(SHADOW_TAG) == "true"
