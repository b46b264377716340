"""A small real case, fitted once for all tests that need a bundle: 300 records of the sample and 1,400 references.

Nothing here may be changed by a test: who wants to damage a bundle takes a copy. Where tests run side by side, each
worker fits it for itself; what is much dearer to set up stays together on one worker.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from matching.fit_config import FitConfig
from matching.ranker import RankerConfig
from matching.records import read_table
from matching.retrieval.encoder import EncoderConfig
from matching.scoring import Scorer
from matching.training import fit
from matching_assets.sample import sample_files

# Targets that two hundred labelled entities can show, so that the small bundle matches something.
SMALL_CONFIG = FitConfig(
    target_precision=0.9,
    most_false_accepts=0.2,
    folds=3,
    top_k=20,
    encoder=EncoderConfig(steps=10, dim=16),
    ranker=RankerConfig(trees=20, threads=1),
)
ALIASES = (("CIK0000001750", "Allen Aircraft Radio Inc", "1969-01-01"), ("CIK0000001800", "Abbott Alkaloidal Co", None))

# The same examples on every run; a first call that loads a table of names is no failure.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")

TOGETHER = {"behaviour", "dagster"}
"""Folders whose tests share one matcher or one platform that took half a minute to bring up."""


class Together(LoadScopeScheduling):
    """What one worker runs without a break: a folder of TOGETHER, and elsewhere a file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        folder = Path(file).parent.name
        return folder if folder in TOGETHER else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    return Together(config, log)


@dataclass(frozen=True)
class Frames:
    """What a fit is given. References have the country of their record where they have one, so that places compare."""

    reference: pl.DataFrame
    records: pl.DataFrame
    labels: pl.DataFrame
    aliases: pl.DataFrame

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """In the order in which `fit` takes them."""
        return iter((self.reference, self.records, self.labels, self.aliases))


def read_small_frames() -> Frames:
    """The small case. Records and references of the sample are in the order of their ids."""
    reference, records, labels = (read_table(path) for path in sample_files().values())
    records = records.head(300)
    labels = labels.join(records, on="record_id", how="semi", maintain_order="left")
    home = labels.join(records, on="record_id").group_by("reference_id").agg(pl.col("country").first())
    right = reference.join(labels, on="reference_id", how="semi", maintain_order="left")
    reference = pl.concat([reference.head(1300), right]).unique("reference_id").sort("reference_id")
    reference = reference.join(home, on="reference_id", how="left", maintain_order="left")
    aliases = pl.DataFrame(ALIASES, schema=["reference_id", "alias", "asof"], orient="row")
    return Frames(reference, records, labels, aliases)


def fit_small(bundle: Path) -> None:
    """Fit the small case. A plain function, so that another process can do the same."""
    fit(*read_small_frames(), config=SMALL_CONFIG, bundle=bundle)


@pytest.fixture(scope="session")
def small_config() -> FitConfig:
    return SMALL_CONFIG


@pytest.fixture(scope="session")
def small_frames() -> Frames:
    return read_small_frames()


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a granted certificate. Read only."""
    bundle = tmp_path_factory.mktemp("small") / "bundle"
    fit_small(bundle)
    return bundle


@pytest.fixture(scope="session")
def small_scorer(small_bundle: Path) -> Scorer:
    return Scorer.load(small_bundle)
