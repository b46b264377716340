"""The one place where local and AWS part: `MATCHING_ENV` says which; all else asks for a resource by its key.

| key | class of `local` | class of `aws` |
|---|---|---|
| `tables` | LocalTables | GlueTables |
| `io_manager` | TableIOManager of `tables` | the same |
| `store` | LocalStore | S3Store |
| `folder_io_manager` | FolderIOManager on `store` | the same |
| `registry` | LocalRegistry | SageMakerRegistry |
| `endpoint` | LocalEndpoint | SageMakerEndpoint |
| `alerts` | LocalAlerts | SNSAlerts; either with webhooks (MATCHING_ALERT_WEBHOOKS) |
| `telemetry` | LocalTelemetry | S3Telemetry |
| `traffic` | SpoolTraffic | CaptureTraffic |
| `trainer` | LocalTrainer, or PipesTrainer (MATCHING_TRAINER) | the same, or SageMakerTrainer |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.alerts import Alerts, LocalAlerts, SNSAlerts
from resources.capture import CaptureTraffic
from resources.endpoint import Endpoint
from resources.endpoint_local import LocalEndpoint
from resources.endpoint_sagemaker import SageMakerEndpoint
from resources.folders import FolderIOManager
from resources.registry import LocalRegistry, Registry
from resources.registry_sagemaker import SageMakerRegistry
from resources.store import LocalStore, ObjectStore, S3Store
from resources.tables import GlueTables, LocalTables, Tables
from resources.telemetry import LocalTelemetry, S3Telemetry, Telemetry
from resources.traffic import SpoolTraffic, Traffic
from resources.training import LocalTrainer, PipesTrainer, SageMakerTrainer, Trainer
from resources.webhooks import ADDRESSES, AlertsWithWebhooks

AWS_SETTINGS = {
    "MATCHING_BUCKET": "the S3 bucket of store, tables and telemetry",
    "MATCHING_IMAGE_URI": "the scoring container in ECR",
    "MATCHING_ROLE_ARN": "the role that endpoints run under",
    "MATCHING_ALERT_TOPIC_ARN": "the SNS topic of alerts",
}
"""What has to be set for `aws`. The region and credentials are the usual AWS settings."""

SAGEMAKER_TRAINING_SETTINGS = {
    "MATCHING_TRAINING_IMAGE_URI": "the training container in ECR",
    "MATCHING_TRAINING_ROLE_ARN": "the role that training jobs run under",
}
"""What has to be set for MATCHING_TRAINER=sagemaker."""


class SettingError(ValueError):
    """The environment is not set up; the text says which variable to set, and to what."""


def state_folder(home: Path | None = None) -> Path:
    """The folder of all local state: `home`, or MATCHING_HOME, or `.matching` here. Absolute."""
    return (home or Path(os.environ.get("MATCHING_HOME", ".matching"))).resolve()


def for_environment(env: str | None = None, home: Path | None = None) -> dict[str, Any]:
    """The resources, by the keys above. `env`: `local` or `aws`, by default MATCHING_ENV, or `local`.

    Raises SettingError when the environment is unknown, or a setting of `aws` is missing.
    """
    env = env or os.environ.get("MATCHING_ENV", "local")
    folder = state_folder(home)
    if env == "local":
        return _local(folder)
    if env == "aws":
        return _aws(folder)
    raise SettingError(f"MATCHING_ENV is {env!r}: use local or aws")


def _local(folder: Path) -> dict[str, Any]:
    return _named(
        LocalTables(warehouse=str(folder / "warehouse")),
        LocalStore(root=str(folder / "store")),
        LocalRegistry(store=LocalStore(root=str(folder / "registry")), **_approval()),
        LocalEndpoint(store=LocalStore(root=str(folder / "store")), root=str(folder / "endpoint")),
        LocalAlerts(path=str(folder / "alerts.jsonl")),
        LocalTelemetry(root=str(folder / "telemetry")),
        SpoolTraffic(root=os.environ.get("MATCHING_TELEMETRY_DIR") or str(folder / "endpoint" / "telemetry")),
    )


def _aws(folder: Path) -> dict[str, Any]:
    _require(AWS_SETTINGS, "MATCHING_ENV is aws")
    bucket, image, role, topic = (os.environ[name] for name in AWS_SETTINGS)
    prefix = os.environ.get("MATCHING_PREFIX", "matching")
    store = S3Store(bucket=bucket, prefix=prefix, cache=str(folder / "cache"))
    registry = S3Store(bucket=bucket, prefix=f"{prefix}/registry", cache=str(folder / "cache"))
    return _named(
        GlueTables(bucket=bucket, prefix=prefix),
        store,
        SageMakerRegistry(
            store=registry,
            group=os.environ.get("MATCHING_MODEL_GROUP", "matching"),
            image_uri=image,
            **_approval(),
        ),
        SageMakerEndpoint(store=store, image_uri=image, role_arn=role),
        SNSAlerts(topic_arn=topic, store=store),
        S3Telemetry(store=store),
        CaptureTraffic(store=store),
    )


def _approval() -> dict[str, Any]:
    """What an approval has to be: MATCHING_FOUR_EYES=1, MATCHING_APPROVAL_DAYS=90; neither unless set."""
    days = os.environ.get("MATCHING_APPROVAL_DAYS")
    return {
        "four_eyes": os.environ.get("MATCHING_FOUR_EYES") == "1",
        "approval_days": float(days) if days else None,
    }


def _require(settings: Mapping[str, str], because: str) -> None:
    missing = [f"{name} ({meaning})" for name, meaning in settings.items() if not os.environ.get(name)]
    if missing:
        raise SettingError(f"{because}; set {', '.join(missing)}")


def _trainer(store: ObjectStore) -> Trainer:
    """Where training runs. SageMaker's jobs read from S3, so only `aws` has them."""
    kind = os.environ.get("MATCHING_TRAINER", "local")
    if kind == "local":
        return LocalTrainer(store=store)
    if kind == "pipes":
        return PipesTrainer(store=store)
    if kind == "sagemaker" and isinstance(store, S3Store):
        _require(SAGEMAKER_TRAINING_SETTINGS, "MATCHING_TRAINER is sagemaker")
        image, role = (os.environ[name] for name in SAGEMAKER_TRAINING_SETTINGS)
        machine = os.environ.get("MATCHING_TRAINING_INSTANCE", "ml.m5.2xlarge")
        key = os.environ.get("MATCHING_KMS_KEY")
        return SageMakerTrainer(store=store, image_uri=image, role_arn=role, instance_type=machine, kms_key=key)
    raise SettingError(f"MATCHING_TRAINER is {kind!r}: use local or pipes, or with MATCHING_ENV=aws also sagemaker")


def _named(
    tables: Tables,
    store: ObjectStore,
    registry: Registry,
    endpoint: Endpoint,
    alerts: Alerts,
    telemetry: Telemetry,
    traffic: Traffic,
) -> dict[str, Any]:
    return {
        "tables": tables,
        "io_manager": tables.io_manager(),
        "store": store,
        "folder_io_manager": FolderIOManager(store=store),
        "registry": registry,
        "endpoint": endpoint,
        "alerts": AlertsWithWebhooks(record=alerts, store=store) if os.environ.get(ADDRESSES) else alerts,
        "telemetry": telemetry,
        "traffic": traffic,
        "trainer": _trainer(store),
    }
