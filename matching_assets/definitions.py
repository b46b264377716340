"""The code location: every asset, check, job, sensor and resource, put together. Nothing else imports all of it.

Importing it loads no model library: a step's process starts in seconds and takes what it needs.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from matching_assets.assets import (
    embeddings,
    explanations,
    features,
    governance,
    monitoring,
    operations,
    performance,
    ranking,
    records,
    reference,
    rescoring,
    review,
    serving,
    telemetry,
)
from matching_assets.checks import features as feature_checks
from matching_assets.checks import governance as governance_checks
from matching_assets.checks import monitoring as monitoring_checks
from matching_assets.checks import records as record_checks
from matching_assets.checks import reference as reference_checks
from matching_assets.checks import rescoring as rescoring_checks
from matching_assets.checks import review as review_checks
from matching_assets.checks import serving as serving_checks
from matching_assets.jobs import JOBS
from matching_assets.landing import Landing
from matching_assets.nightshift import for_the_night
from matching_assets.review.verdicts import verdicts_below
from matching_assets.settings import Review, Training
from resources.board import Board
from resources.environment import for_environment, state_folder
from sensors import all_sensors

STAGES = [
    records,
    reference,
    features,
    embeddings,
    ranking,
    explanations,
    governance,
    serving,
    telemetry,
    monitoring,
    performance,
    operations,
    rescoring,
    review,
]
CHECKS = [
    record_checks,
    reference_checks,
    feature_checks,
    governance_checks,
    serving_checks,
    monitoring_checks,
    rescoring_checks,
    review_checks,
]

PRELOADED = ["matching_assets.definitions", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow"]
"""What the processes of steps are forked with. The catalog is, because nearly every step opens it: two seconds less."""

EXECUTOR = dg.multiprocess_executor.configured(
    {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": PRELOADED}}}
)
"""Steps in processes of their own, forked from one that has imported this module: 30 s become 5 for a job of six
steps.
"""


def build_defs(overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The definitions, with the resources of the environment; `overrides` replaces some of them by key."""
    resources = {
        **for_environment(),
        "landing": Landing(root=str(state_folder() / "landing")),
        "training": Training(),
        "review": Review(),
        "verdicts": verdicts_below(state_folder()),
        "board": Board(home=str(state_folder())),
        **(overrides or {}),
    }
    checks = [check for module in CHECKS for check in module.CHECKS]
    assets = [made for made in dg.load_assets_from_modules(STAGES) if isinstance(made, dg.AssetsDefinition)]
    return dg.Definitions(
        assets=for_the_night(assets, checks),
        asset_checks=checks,
        jobs=JOBS,
        sensors=all_sensors(),
        resources=resources,
        executor=EXECUTOR,
    )


defs = build_defs()
