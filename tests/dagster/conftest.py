"""The whole platform on a slice of the sample in a folder of its own: what the tests of the asset graph share.

`platform` is brought up once for all tests: three days are taken in, a version is trained, approved and deployed, and
the days are decided. A test that changes something puts it back, or takes a `new_platform`.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from matching.records import write_table
from matching_assets import sample
from matching_assets.definitions import build_defs
from matching_assets.jobs import INTAKE, MATCHING
from matching_assets.landing import Landing
from matching_assets.review.verdicts import verdicts_below
from matching_assets.settings import Review, Training
from resources.board import Board
from resources.environment import for_environment

DAYS = sample.days()[:3]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
FAST = {"encoder_steps": 10, "ranker_trees": 25, "target_precision": 0.9}
"""A version that is trained in seconds. At a target of .9 a few hundred labels are enough for a certificate."""


class Platform:
    """The code location on a state folder, with an instance of its own that nobody else sees."""

    def __init__(self, home: Path, **training: Any) -> None:
        self.home = home
        self.landing = home / "landing"
        self.resources: dict[str, Any] = {
            **for_environment("local", home),
            "landing": Landing(root=str(self.landing)),
            "verdicts": verdicts_below(home),
            "board": Board(home=str(home)),
            "review": Review(match_audit=0.2, no_match_audit=0.2),
            "training": Training(**{**FAST, **training}),
        }
        self.defs = build_defs(self.resources)
        self.instance = dg.DagsterInstance.ephemeral()
        self.tables, self.folders = self.resources["tables"], self.resources["folder_io_manager"]
        self.registry, self.endpoint = self.resources["registry"], self.resources["endpoint"]

    def land(self, stem: str, frame: pl.DataFrame) -> Path:
        path = self.landing / f"{stem}.parquet"
        write_table(frame, path)
        return path

    def run(
        self, job: str, day: str | None = None, assets: Sequence[str] = (), ops: Mapping[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job; a step that fails is left for the test to look at."""
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=day,
            asset_selection=[dg.AssetKey(asset) for asset in assets] or None,
            run_config={**QUIET, "ops": {name: {"config": config} for name, config in (ops or {}).items()}},
            raise_on_error=False,
        )

    def materialisation(self, asset: str, day: str | None = None) -> dg.AssetMaterialization:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day] if day else None)
        (record,) = self.instance.fetch_materializations(wanted, limit=1).records
        assert record.asset_materialization is not None
        return record.asset_materialization


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks of a run by name."""
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def seed(platform: Platform) -> None:
    """The sample lands, with all of its records on three days."""
    files = sample.sample_files()
    records = pl.concat([sample.records_of_day(day) for day in sample.days()]).sort("record_id").head(900)
    for number, day in enumerate(DAYS):
        platform.land(f"records/{day}", records.gather_every(len(DAYS), number))
    labels, reference = pl.read_parquet(files["labels"]), pl.read_parquet(files["reference"])
    needed = labels["reference_id"].drop_nulls()
    platform.land(
        "reference",
        reference.filter(pl.col("reference_id").is_in(needed.implode()) | (pl.int_range(pl.len()) % 4 == 0)),
    )
    platform.land("labels/sample", labels.join(records, on="record_id", how="semi", maintain_order="left"))


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="matching-") as folder:
        platform = Platform(Path(folder))
        seed(platform)
        for day in DAYS:
            assert platform.run("daily_matching", day, INTAKE).success
        retrained = platform.run("retrain")
        assert retrained.success, [c.description for c in retrained.get_asset_check_evaluations() if not c.passed]
        assert platform.run("promote").success
        for day in DAYS:
            assert platform.run("daily_matching", day, MATCHING).success
        yield platform
        platform.endpoint.delete("matching")


@pytest.fixture(scope="session")
def days() -> Sequence[str]:
    return DAYS


@pytest.fixture(scope="session")
def platform_in() -> type[Platform]:
    """Makes an empty platform in a folder, for who wants to share one."""
    return Platform


@pytest.fixture
def new_platform(tmp_path: Path) -> Callable[..., Platform]:
    """An empty platform in a folder of its own, for what would disturb the others."""
    return lambda **training: Platform(tmp_path / "home", **training)
