"""What is learnt in the shadow: judged by the same gates, registered, and approved by no rule."""

from pathlib import Path

import dagster as dg
import pytest

from matching.files import folder_digest
from matching_assets.assets.governance import learnt_in_the_shadow
from matching_assets.gates import Gate
from matching_assets.release import decide, newest_approved
from matching_assets.tags import SHADOW_TAG
from resources.registry import LocalRegistry, NotApprovedError
from resources.store import LocalStore

GOOD = [Gate("precision", 0.99, 0.95, True, "Good.")]
BAD = [Gate("precision", 0.9, 0.95, False, "Bad.")]


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    return LocalRegistry(store=LocalStore(root=str(tmp_path / "registry")))


@pytest.fixture
def bundle(registry: LocalRegistry, tmp_path: Path) -> Path:
    """The bundle of version 1, which was just registered."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    registry.register(folder_digest(folder), {}, {"granted": True}, {}, {})
    return folder


def test_what_passes_its_gates_in_the_shadow_waits_for_a_person(registry: LocalRegistry, bundle: Path) -> None:
    package = decide(bundle, GOOD, registry, shadow=True)
    assert (package.status, package.history[-1]["gates"][0]["passed"]) == ("PendingManualApproval", True)
    assert registry.challenger() is None
    with pytest.raises(NotApprovedError, match="is PendingManualApproval"):
        newest_approved(registry)
    registry.set_status(1, "Approved", by="ann")
    assert newest_approved(registry).version == 1


def test_what_fails_its_gates_in_the_shadow_is_rejected(registry: LocalRegistry, bundle: Path) -> None:
    assert decide(bundle, BAD, registry, shadow=True).status == "Rejected"


def test_the_same_version_learnt_in_the_open_is_approved_and_a_shadow_does_not_take_that_back(
    registry: LocalRegistry, bundle: Path
) -> None:
    assert decide(bundle, GOOD, registry).status == "Approved"
    assert decide(bundle, GOOD, registry, shadow=True).status == "Approved"


@dg.asset
def ranker() -> None: ...


@dg.asset(deps=[ranker])
def approval(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"shadow": learnt_in_the_shadow(context)})


def test_it_is_the_training_that_is_in_the_shadow_also_when_its_models_get_a_new_reference() -> None:
    instance, seen = dg.DagsterInstance.ephemeral(), []
    for assets, tags in (
        ([ranker, approval], {SHADOW_TAG: "true"}),
        ([approval], {}),
        ([ranker, approval], {}),
        ([approval], {SHADOW_TAG: "true"}),
    ):
        done = dg.materialize(assets, instance=instance, tags=tags)
        (made,) = done.asset_materializations_for_node("approval")
        seen.append(made.metadata["shadow"].value)
    assert seen == [True, True, False, False]
