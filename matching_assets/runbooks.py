"""Which page of docs/runbooks says what to do about an alert, and whose it is.

A page serves all that asks for the same doing. Every check has one: `tests/dagster/test_runbooks.py` holds that each
page is there, and that the fault it is about rings with its name.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from matching_assets.owners import MODEL_RISK, MODELS, ON_CALL, REFERENCE_DATA
from resources.webhooks import PAGES

INDEX = "docs/RUNBOOK.md"


@dataclass(frozen=True)
class Runbook:
    """A page, as a path of the checkout, and who answers for what it is about."""

    page: str
    owner: str


def page(name: str) -> str:
    """The path of a page."""
    return f"docs/runbooks/{name}.md"


OF_CHECKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "delivery-broken": (REFERENCE_DATA, ("guardrails_share", "identifiers_valid", "reference_unique")),
    "feed-unusual": (
        REFERENCE_DATA,
        ("usual_volume", "quarantine_share", "few_without_candidate", "integrity_holds"),
    ),
    "labels-contradict": (MODELS, ("label_consistency",)),
    "platform-at-fault": (
        ON_CALL,
        (
            "nothing_lost",
            "every_record_decided",
            "explanation_closure",
            "features_finite",
            "bundle_integrity",
            "decisions_reproduced",
        ),
    ),
    "certificate-missing": (MODELS, ("certificate_present",)),
    "version-refused": (
        MODEL_RISK,
        (
            "candidate_recall",
            "certificate_gate",
            "precision_gate",
            "calibration_gate",
            "recall_gate",
            "baseline_gate",
            "golden_set",
            "champion_gate",
        ),
    ),
    "not-promoted": (MODELS, ("shadow_agreement", "experiment_verdict")),
    "endpoint-silent": (ON_CALL, ("endpoint_smoke",)),
    "rollout-turned-back": (ON_CALL, ("rollout_quiet",)),
    "drift": (MODELS, ("no_drift",)),
    "predictions": (MODELS, ("predictions_steady",)),
    "concept": (MODELS, ("concept_steady",)),
    "precision": (MODEL_RISK, ("precision_holds", "matches_turn_out_right")),
    "audit-not-random": (MODEL_RISK, ("audit_is_random",)),
    "review-desk": (MODEL_RISK, ("review_fits_capacity", "reviewers_agree")),
}
"""Page to its owner and its checks."""

TONIGHT = frozenset(
    page(name)
    for name in (
        "champion-rejected",
        "delivery-broken",
        "endpoint-silent",
        "error-budget",
        "platform-at-fault",
        "precision",
        "run-failed",
        "sensor-dead",
    )
)
"""Pages whose errors somebody has to get up for; the index says the same."""

BY_CHECK = {check: Runbook(page(name), owner) for name, (owner, checks) in OF_CHECKS.items() for check in checks}


def of_check(check: str) -> Runbook:
    """The page of a check; the index for one that is not ours."""
    return BY_CHECK.get(check, Runbook(INDEX, ON_CALL))


def link(path: str) -> str:
    """A page as Markdown: a link where MATCHING_RUNBOOK_URL says where pages are read, else its path."""
    base = os.environ.get(PAGES, "").rstrip("/")
    return f"[{path}]({base}/{path})" if base else path


def explained(check: str, text: str) -> str:
    """The description of a check, with the page that says what to do."""
    return f"{text} Runbook: {link(of_check(check).page)}"
