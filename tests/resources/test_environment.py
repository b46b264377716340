"""The one switch between local and AWS."""

from pathlib import Path

import pytest

from resources.alerts import Alerts, SNSAlerts
from resources.endpoint import Endpoint
from resources.endpoint_sagemaker import SageMakerEndpoint
from resources.environment import AWS_SETTINGS, SAGEMAKER_TRAINING_SETTINGS, SettingError, for_environment, state_folder
from resources.registry import Registry
from resources.registry_sagemaker import SageMakerRegistry
from resources.store import ObjectStore, S3Store
from resources.tables import GlueTables, Tables
from resources.telemetry import S3Telemetry, Telemetry
from resources.training import LocalTrainer, PipesTrainer, SageMakerTrainer, Trainer

INTERFACES = {
    "tables": Tables,
    "store": ObjectStore,
    "registry": Registry,
    "endpoint": Endpoint,
    "alerts": Alerts,
    "telemetry": Telemetry,
    "trainer": Trainer,
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *AWS_SETTINGS,
        *SAGEMAKER_TRAINING_SETTINGS,
        "MATCHING_ENV",
        "MATCHING_TRAINER",
        "MATCHING_HOME",
        "MATCHING_PREFIX",
        "MATCHING_MODEL_GROUP",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def aws_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AWS_SETTINGS:
        monkeypatch.setenv(name, name.lower().replace("_", "-"))


def test_both_environments_have_the_same_resources(aws_settings: None, tmp_path: Path) -> None:
    local, aws = for_environment("local", tmp_path), for_environment("aws", tmp_path)

    assert list(local) == list(aws)
    for key, interface in INTERFACES.items():
        assert isinstance(local[key], interface)
        assert isinstance(aws[key], interface)


def test_local_is_the_default(tmp_path: Path) -> None:
    assert for_environment(home=tmp_path) == for_environment("local", tmp_path)


def test_matching_env_chooses(aws_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MATCHING_ENV", "aws")
    kinds = {type(for_environment(home=tmp_path)[key]) for key in INTERFACES}

    assert kinds == {GlueTables, S3Store, SageMakerRegistry, SageMakerEndpoint, SNSAlerts, S3Telemetry, LocalTrainer}


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'prod': use local or aws"):
        for_environment("prod", tmp_path)


def test_all_settings_that_aws_lacks_are_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MATCHING_BUCKET", "b")

    with pytest.raises(SettingError) as refusal:
        for_environment("aws", tmp_path)
    named = [name for name in AWS_SETTINGS if name in str(refusal.value)]
    assert named == ["MATCHING_IMAGE_URI", "MATCHING_ROLE_ARN", "MATCHING_ALERT_TOPIC_ARN"]


def test_the_state_folder_is_given_or_set_or_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert state_folder() == tmp_path / ".matching"
    monkeypatch.setenv("MATCHING_HOME", str(tmp_path / "set"))
    assert state_folder() == tmp_path / "set"
    assert state_folder(Path("given")) == tmp_path / "given"


def test_making_the_resources_writes_nothing(tmp_path: Path) -> None:
    for_environment("local", tmp_path / "home")

    assert not (tmp_path / "home").exists()


def test_training_runs_where_it_is_told_to(aws_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SAGEMAKER_TRAINING_SETTINGS:
        monkeypatch.setenv(name, "set")
    trainers = {}
    for kind, env in (("local", "local"), ("pipes", "local"), ("sagemaker", "aws")):
        monkeypatch.setenv("MATCHING_TRAINER", kind)
        trainers[kind] = type(for_environment(env, tmp_path)["trainer"])

    assert trainers == {"local": LocalTrainer, "pipes": PipesTrainer, "sagemaker": SageMakerTrainer}


def test_sagemaker_does_not_train_on_what_lies_on_a_laptop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MATCHING_TRAINER", "sagemaker")

    with pytest.raises(SettingError, match="with MATCHING_ENV=aws also sagemaker"):
        for_environment("local", tmp_path)


def test_settings_that_sagemaker_training_lacks_are_named(
    aws_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MATCHING_TRAINER", "sagemaker")

    with pytest.raises(SettingError, match=r"set MATCHING_TRAINING_IMAGE_URI .* MATCHING_TRAINING_ROLE_ARN"):
        for_environment("aws", tmp_path)
