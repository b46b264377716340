"""The contract of the registry, held by each implementation; SageMaker is moto, which keeps packages and statuses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resources.registry import CLOSES, LocalRegistry, NotApprovedError, Registry
from resources.registry_sagemaker import SageMakerRegistry
from resources.store import ConflictError, LocalStore, MissingError

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
GATES = [{"gate": "precision", "value": 0.994, "bound": 0.99, "passed": True}]


@pytest.fixture(params=["local", "sagemaker"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "local":
        return LocalRegistry(store=LocalStore(root=str(tmp_path / "registry")))
    store = request.getfixturevalue("s3_store")
    return SageMakerRegistry(store=store, group="matching", image_uri="1.dkr.ecr/matching:1", region_name="us-east-1")


def register(registry: Registry, digest: str) -> int:
    return registry.register(
        digest,
        metrics={"precision": 0.994, "slices": {"us": 0.99}},
        certificate={"granted": True, "threshold": 0.97},
        card={"model_overview": {"model_name": "matching"}},
        lineage={"run_id": "r1", "code": "abc"},
    )


def approved(registry: Registry, digest: str) -> int:
    version = register(registry, digest)
    registry.set_status(version, "Approved", by="rule", gates=GATES)
    return version


def test_versions_count_up_from_one(registry: Registry) -> None:
    assert [register(registry, digest) for digest in (A, B, C)] == [1, 2, 3]


def test_a_bundle_is_registered_once(registry: Registry) -> None:
    assert [register(registry, digest) for digest in (A, B, A)] == [1, 2, 1]
    assert len(registry.list()) == 2


def test_a_package_keeps_what_it_was_registered_with(registry: Registry) -> None:
    package = registry.get(register(registry, A))

    assert (package.bundle_digest, package.status) == (A, "PendingManualApproval")
    assert package.metrics == {"precision": 0.994, "slices": {"us": 0.99}}
    assert package.certificate == {"granted": True, "threshold": 0.97}
    assert package.card == {"model_overview": {"model_name": "matching"}}
    assert package.lineage == {"run_id": "r1", "code": "abc"}


def test_a_decision_is_recorded_with_the_values_its_gates_saw(registry: Registry) -> None:
    version = register(registry, A)
    registry.set_status(version, "Approved", by="rule", gates=GATES)
    registry.set_status(version, "Rejected", by="model-risk")

    package = registry.get(version)
    assert package.status == "Rejected"
    decisions = [(entry["status"], entry["by"], entry["gates"]) for entry in package.history]
    assert decisions == [
        ("PendingManualApproval", "registration", []),
        ("Approved", "rule", GATES),
        ("Rejected", "model-risk", []),
    ]


def test_a_status_that_does_not_exist_is_refused(registry: Registry) -> None:
    version = register(registry, A)

    with pytest.raises(ValueError, match="'Good' is no status"):
        registry.set_status(version, "Good", by="rule")  # type: ignore[arg-type]


def test_a_version_that_was_never_registered_is_missing(registry: Registry) -> None:
    with pytest.raises(MissingError, match="no version 7"):
        registry.get(7)


def test_there_is_no_champion_before_the_first_promotion(registry: Registry) -> None:
    assert registry.champion() is None


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_only_an_approved_version_is_promoted(registry: Registry, status: str) -> None:
    version = register(registry, A)
    registry.set_status(version, status, by="rule")

    with pytest.raises(NotApprovedError, match=f"version 1 is {status}"):
        registry.promote(version, expected=None)
    assert registry.champion() is None


def test_a_promotion_moves_the_champion(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.promote(first, expected=None)
    registry.promote(second, expected=first)

    assert registry.champion().version == second


def test_a_promotion_that_expects_another_champion_is_a_conflict(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.promote(first, expected=None)

    with pytest.raises(ConflictError, match="the champion is version 1, not None"):
        registry.promote(second, expected=None)
    assert registry.champion().version == first


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.promote(first, expected=None)
    registry.promote(second, expected=first)
    registry.promote(second, expected=second)

    assert registry.rollback().version == first


def test_a_rollback_goes_back_to_the_champion_before(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.promote(first, expected=None)
    registry.promote(second, expected=first)

    assert registry.rollback().version == first
    assert registry.champion().version == first


def test_what_a_rollback_would_go_back_to_can_be_asked_without_going_back(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.promote(first, expected=None)
    registry.promote(second, expected=first)

    assert (registry.previous().version, registry.champion().version) == (first, second)


def test_a_rollback_passes_over_what_is_no_longer_approved(registry: Registry) -> None:
    first, second, third = (approved(registry, digest) for digest in (A, B, C))
    registry.promote(first, expected=None)
    registry.promote(second, expected=first)
    registry.promote(third, expected=second)
    registry.set_status(second, "Rejected", by="model-risk")

    assert registry.rollback().version == first


def test_a_rollback_without_an_earlier_champion_says_so(registry: Registry) -> None:
    registry.promote(approved(registry, A), expected=None)

    with pytest.raises(MissingError, match="no earlier approved champion"):
        registry.rollback()
    assert registry.champion().version == 1


def test_a_decision_made_in_the_console_of_sagemaker_counts(s3_store: object) -> None:
    registry = SageMakerRegistry(store=s3_store, group="matching", image_uri="i", region_name="us-east-1")
    version = register(registry, A)
    arn = registry.client.list_model_packages(ModelPackageGroupName="matching")["ModelPackageSummaryList"][0]
    registry.client.update_model_package(
        ModelPackageArn=arn["ModelPackageArn"], ModelApprovalStatus="Approved", ApprovalDescription="by hand"
    )

    assert registry.get(version).status == "Approved"
    assert registry.promote(version, expected=None).version == version


def test_a_registration_that_was_killed_after_sagemaker_had_it_is_completed(s3_store: object) -> None:
    registry = SageMakerRegistry(store=s3_store, group="matching", image_uri="i", region_name="us-east-1")
    registry._ensure_group()
    registry._create(A, {}, {})

    assert register(registry, A) == 1
    assert registry.get(1).lineage == {"run_id": "r1", "code": "abc"}


def test_an_approval_that_has_expired_is_no_approval(registry: Registry) -> None:
    package = registry.get(approved(registry, A))
    strict = registry.model_copy(update={"approval_days": 30.0})
    later = datetime.now(UTC) + timedelta(days=31)

    assert strict.objection(package) is None
    assert "is 31 days old" in strict.objection(package, now=later)
    assert registry.objection(package, now=later) is None


@pytest.mark.parametrize(
    ("approver", "requester", "may"),
    [("ann", "bob", True), ("ann", "ann", False), ("rule", "bob", False), ("ann", "", False)],
)
def test_with_four_eyes_two_persons_bring_a_version_to_production(
    registry: Registry, approver: str, requester: str, may: bool
) -> None:
    strict = registry.model_copy(update={"four_eyes": True})
    version = register(registry, A)
    strict.set_status(version, "Approved", by=approver)
    if may:
        assert strict.promote(version, expected=None, by=requester).version == version
    else:
        with pytest.raises(NotApprovedError, match="another person"):
            strict.promote(version, expected=None, by=requester)
    assert (strict.champion() is not None) == may


def test_of_two_challengers_at_once_one_wins_and_the_other_is_recorded(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.challenge(first, expected=None)
    with pytest.raises(ConflictError, match="version 1 came first"):
        registry.challenge(second, expected=None)

    assert registry.challenger().version == first
    assert [(move["action"], move["version"]) for move in registry.moves()] == [("challenge", 1), ("lost", 2)]


def test_many_challengers_at_once_leave_one_and_a_record_of_each(tmp_path: Path) -> None:
    registry = LocalRegistry(store=LocalStore(root=str(tmp_path / "registry")))
    versions = [approved(registry, digit * 64) for digit in "abcd"]

    def challenge(version: int) -> bool:
        try:
            registry.challenge(version, expected=None)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(challenge, versions))
    assert sum(won) == 1
    assert registry.challenger().version == versions[won.index(True)]
    assert sorted(move["version"] for move in registry.moves()) == versions


def test_a_challenger_that_becomes_champion_challenges_no_more(registry: Registry) -> None:
    version = approved(registry, A)
    registry.challenge(version, expected=None)
    registry.promote(version, expected=None, by="bob")

    assert registry.challenger() is None
    assert registry.moves()[-1]["by"] == "bob"


def test_a_version_goes_from_dev_to_staging_to_prod_and_back(registry: Registry) -> None:
    first, second = register(registry, A), approved(registry, B)
    seen = [registry.stage(first)]
    registry.set_status(first, "Approved", by="rule")
    seen.append(registry.stage(first))
    registry.promote(first, expected=None)
    seen.append(registry.stage(first))
    registry.promote(second, expected=first)

    assert [*seen, registry.stage(first)] == ["dev", "staging", "prod", "staging"]


def test_sagemaker_is_told_of_each_stage(s3_store: object) -> None:
    registry = SageMakerRegistry(store=s3_store, group="matching", image_uri="i", region_name="us-east-1")
    told = []
    hooks = [f"provide-client-params.sagemaker.{call}ModelPackage" for call in ("Create", "Update")]

    def listen(params: dict[str, object], **_: object) -> None:
        told.append(params.get("ModelLifeCycle"))

    for hook in hooks:
        registry.client.meta.events.register(hook, listen)
    registry.promote(approved(registry, A), expected=None)
    for hook in hooks:
        registry.client.meta.events.unregister(hook, listen)

    assert [stage["Stage"] for stage in told if stage] == ["dev", "staging", "prod"]


def closed(registry: Registry, digest: str, granted: bool = False) -> int:
    """The closed form of a version, approved as its closing is."""
    lineage = {"run_id": "r1", CLOSES: digest}
    version = registry.register(f"{digest[:-1]}0", {}, {"granted": granted, "threshold": None}, {}, lineage)
    registry.set_status(version, "Approved", by="rule", gates=GATES)
    return version


def test_a_closed_version_takes_the_champions_place_without_an_approval_and_a_rollback_opens_it(
    registry: Registry,
) -> None:
    champion = approved(registry, A)
    registry.promote(champion, expected=None)
    version = closed(registry, A)

    registry.close(version, expected=champion, by="rule")

    assert registry.champion() == registry.get(version)
    assert registry.rollback("ann").version == champion
    assert [(move["action"], move["version"]) for move in registry.moves()] == [
        ("promote", champion),
        ("close", version),
        ("rollback", champion),
    ]


def test_closing_what_is_closed_changes_nothing(registry: Registry) -> None:
    registry.promote(approved(registry, A), expected=None)
    version = closed(registry, A)
    registry.close(version, expected=1)
    moves = registry.moves()

    assert registry.close(version, expected=1).version == version
    assert registry.moves() == moves


def test_a_closed_version_is_not_promoted_and_an_open_one_does_not_close(registry: Registry) -> None:
    champion = approved(registry, A)
    registry.promote(champion, expected=None)
    version = closed(registry, A)

    with pytest.raises(NotApprovedError, match="by closing"):
        registry.promote(version, expected=champion)
    with pytest.raises(NotApprovedError, match="is not closed"):
        registry.close(approved(registry, B), expected=champion)
    with pytest.raises(NotApprovedError, match="is not closed"):
        registry.close(closed(registry, C, granted=True), expected=champion)


def test_what_was_closed_in_view_of_another_champion_is_looked_at_again(registry: Registry) -> None:
    first, second = approved(registry, A), approved(registry, B)
    registry.promote(first, expected=None)
    version = closed(registry, A)
    registry.promote(second, expected=first)

    with pytest.raises(ConflictError, match="the champion is version"):
        registry.close(version, expected=first)


def test_a_promotion_opens_what_was_closed_and_its_rollback_closes_it_again(registry: Registry) -> None:
    registry.promote(approved(registry, A), expected=None)
    version = closed(registry, A)
    registry.close(version, expected=1)
    better = approved(registry, B)
    registry.promote(better, expected=version)

    assert registry.champion() == registry.get(better)
    assert registry.rollback().version == version
