"""Closing automatic matching: the champion gives way to itself without its certificate, and nothing else changes.

It needs no gate and no approval, because it only moves matches to review. What opens it again is a promotion of an
approved version, or a rollback.
"""

import tempfile
from pathlib import Path
from typing import Any

from matching.bundle import Manifest
from matching.closing import close_bundle
from matching_assets.gates import Gate
from matching_assets.release import ENDPOINT, RULE, serving
from resources.endpoint import Endpoint
from resources.registry import CLOSES, ModelPackage, Registry
from resources.rollout import IN_FLIGHT
from resources.store import MissingError, ObjectStore

BY_HAND = "Closed by hand."


def close(why: str, store: ObjectStore, registry: Registry) -> ModelPackage:
    """The champion's closed form, registered with why; the champion itself where it matches nothing as it is.

    MissingError: nothing is in production.
    """
    champion = registry.champion()
    if champion is None:
        raise MissingError("nothing is in production, so there is nothing to close")
    if not champion.certificate["granted"]:
        return champion
    with tempfile.TemporaryDirectory() as scratch:
        manifest = close_bundle(store.get_folder(champion.bundle_digest), Path(scratch) / "bundle")
        digest = store.put_folder(Path(scratch) / "bundle")
    certificate, lineage = manifest.facts["certificate"], {**champion.lineage, CLOSES: champion.bundle_digest}
    lineage["bundle_version"] = manifest.version
    version = registry.register(digest, champion.metrics, certificate, _card(champion.card, manifest), lineage)
    gate = Gate("closed", 0.0, 0.0, True, why or BY_HAND)
    return registry.set_status(version, "Approved", RULE, [gate.to_json()])


def why_closed(package: ModelPackage) -> str | None:
    """Why a version was closed, in a sentence; None: it is not a closed one."""
    if CLOSES not in package.lineage:
        return None
    return next((gate["sentence"] for entry in reversed(package.history) for gate in entry["gates"]), BY_HAND)


def make_way(endpoint: Endpoint) -> None:
    """Turn round a rollout that somebody left: closing does not wait for its end."""
    status = serving(endpoint)
    if status is not None and status.status in IN_FLIGHT:
        endpoint.rollback(ENDPOINT)
        endpoint.settle(ENDPOINT)


def _card(card: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    """The champion's card, with what is true of it no more."""
    about = card["additional_information"]
    details = {
        **about["custom_details"],
        "model_version": manifest.version,
        "certificate": manifest.facts["certificate"]["statement"],
        "certificate_granted": "no",
    }
    return {**card, "additional_information": {**about, "custom_details": details}}
