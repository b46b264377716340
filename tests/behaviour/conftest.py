"""One matcher for all behaviours, and the control that each behaviour needs.

A behaviour is a test marked `caught(by=mutation)`. It runs once as it is and once under each mutation, a function of
`mutations.py` that makes the matcher wrong in the way that the behaviour speaks of. There the same assertions must
fail, or they would show nothing. Only what is expected to fail as it is (`xfail`) needs no control.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from matching.fit_config import FitConfig
from matching.ranker import RankerConfig
from matching.retrieval.encoder import EncoderConfig
from matching.scoring import Scored, Scorer
from matching.training import fit

from .frames import training_frames

# Smaller than a release in folds, trees and steps, and readier to ask: only one right candidate in 500 is refused.
CONFIG = FitConfig(
    folds=3, top_k=30, miss_share=0.002, encoder=EncoderConfig(steps=60, batch=128), ranker=RankerConfig(trees=60)
)


@dataclass(frozen=True)
class Matcher:
    """The scorer, asked by name. `frames`: the reference, records and labels that it was trained on."""

    scorer: Scorer
    frames: dict[str, pl.DataFrame]

    def score(self, *names: str | None, **columns: Any) -> Scored:
        """Decide names. columns: attributes that all of them have."""
        records = pl.DataFrame(
            {"record_id": [f"Q{i}" for i in range(len(names))], "name": pl.Series(names, dtype=pl.String)}
        )
        return self.scorer.score(records.with_columns(pl.lit(v).alias(c) for c, v in columns.items()), CONFIG.top_k)

    def decide(self, *names: str | None, **columns: Any) -> list[dict[str, Any]]:
        """The decisions of names as dictionaries, with the name of the reference as `reference`."""
        decisions = self.score(*names, **columns).decisions
        return decisions.with_columns(reference=self.names(decisions["reference_id"])).to_dicts()

    def outcome(self, name: str | None, **columns: Any) -> tuple[Any, ...]:
        """Reference, probability and band of a name."""
        [decision] = self.decide(name, **columns)
        return decision["reference_id"], decision["probability"], decision["decision"]

    def names(self, ids: pl.Series) -> pl.Series:
        """The names of references by id."""
        known = self.scorer.index.master
        return ids.replace_strict(known["reference_id"], known["name"], default=None, return_dtype=pl.String)


@pytest.fixture(scope="session")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    """Trained on the sample and what it lacks."""
    frames, bundle = training_frames(), tmp_path_factory.mktemp("behaviour") / "bundle"
    fit(**frames, config=CONFIG, bundle=bundle)
    return Matcher(Scorer.load(Path(bundle)), frames)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "caught(by): a mutation under which the test is run again and must fail")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mutations = [m.kwargs["by"] for m in metafunc.definition.iter_markers("caught")]
    if not mutations:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} needs a mutation that it catches")
    if metafunc.definition.get_closest_marker("xfail"):
        mutations = []
    metafunc.fixturenames.append("mutation")
    metafunc.parametrize("mutation", [None, *mutations], ids=lambda m: f"fails if {m.__name__}" if m else "holds")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    mutation: Callable[[], Any] | None = pyfuncitem.callspec.params["mutation"]
    if mutation is None:
        return (yield)
    with mutation(), pytest.raises(AssertionError):
        yield
    return True
