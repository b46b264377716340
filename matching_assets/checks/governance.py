"""Checks on a version before it may serve: the bundle is whole, and a check for each gate of its approval.

The rule of the gates is `matching_assets.gates`; `approval` records it with the values that it saw, also when a
version is rejected. The checks put each gate where on-call sees it, and block the deployment in the same run.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from matching.bundle import BundleError, verify_bundle
from matching.scoring import Scorer
from matching_assets.checks.verdicts import verdict
from matching_assets.folders import facts_in
from matching_assets.runbooks import explained

GATES = {
    "certificate": (
        "certificate_gate",
        "Guards that automatic matches are certified, or that doing without them was allowed explicitly.",
        "Label more entities and retrain, or approve with `without_automatic_matches`.",
    ),
    "precision": (
        "precision_gate",
        "Guards that automatic matches are right on entities that nothing was learnt from.",
        "Read the wrong matches in evaluation's decisions: wrong labels, or records of a new kind?",
    ),
    "calibration": (
        "calibration_gate",
        "Guards that a shown probability means what it says.",
        "Look at evaluation's reliability plot; with few labels, label more and retrain.",
    ),
    "candidate_recall": (
        "recall_gate",
        "Guards that the right reference is among the candidates of held-out records.",
        "Look at evaluation's slices: which source lost its references?",
    ),
    "baseline": (
        "baseline_gate",
        "Guards that the version is better than plain TF-IDF; one that is not is not needed.",
        "Something in features or ranker is broken: compare with the last version's evaluation.",
    ),
    "golden_set": (
        "golden_set",
        "Guards decisions that were right and must not become wrong matches, whatever changes.",
        "Read the named records: a wrong label is corrected in landing/labels, all else is a fault of the version.",
    ),
    "champion": (
        "champion_gate",
        "Guards that the version is no worse than the one in production, on the same records.",
        "Keep the champion. A person may approve the version in the registry, with a reason.",
    ),
}


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            name, asset="approval", blocking=True, description=explained(name, f"{guards} If it fails: {remedy}")
        )
        for name, guards, remedy in GATES.values()
    ]
)
def approval_gates(approval: Path) -> Iterator[dg.AssetCheckResult]:
    """A check of each gate, all in one step: they show what the approval recorded."""
    for seen in facts_in(approval)["gates"]:
        name, _, remedy = GATES[seen["gate"]]
        found = verdict(seen["passed"], seen["sentence"], remedy, value=seen["value"], limit=seen["limit"])
        yield found._replace(check_name=name)


@dg.asset_check(
    asset="model_package",
    blocking=True,
    description=explained(
        "bundle_integrity",
        "Guards that the bundle is whole: each file has the hash that the manifest lists, and it can score. "
        "If it fails, nothing is deployed; materialise model_package again, and look at the object store.",
    ),
)
def bundle_integrity(model_package: Path) -> dg.AssetCheckResult:
    """The bundle is verified file by file and used once."""
    remedy = "Do not deploy it. Materialise model_package again, and look at the object store."
    try:
        manifest = verify_bundle(model_package)
    except BundleError as problem:
        return verdict(False, str(problem), remedy)
    scorer = Scorer.load(model_package)
    title = scorer.index.master.head(1).select("name", record_id="reference_id")
    passed = scorer.score(title).decisions["reference_id"][0] is not None
    saw = f"{len(manifest.files)} files are as listed in version {manifest.version}."
    return verdict(passed, saw, remedy, files=len(manifest.files))


CHECKS = [bundle_integrity, approval_gates]
