import base64
import gzip
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

from matching.drift_page import evidently_html, packed
from matching.drift_statistics import effect_size

pytestmark = pytest.mark.slow  # importing Evidently
G = np.random.default_rng(5)


def frame(rows: int, shift: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "record_id": [f"secret-{i}" for i in range(rows)],
            "decision": G.choice(["match", "review"], rows),
            "probability": G.random(rows),
            "f_name": G.normal(shift, size=rows),
            "f_gone": np.full(rows, np.nan) if shift else np.ones(rows),
        }
    )


REFERENCE, CURRENT = frame(300, 0.0), frame(200, 1.0)


def unpacked(page: str) -> str:
    return gzip.decompress(base64.b64decode(re.search(r'atob\("([^"]+)"\)', page)[1])).decode()


@pytest.fixture(scope="module")
def page() -> str:
    return evidently_html(CURRENT, REFERENCE)


def test_the_presets_of_evidently_can_be_imported_with_the_pandas_that_is_pinned():
    from evidently.presets import DataDriftPreset

    assert DataDriftPreset(columns=["x"]).columns == ["x"]


def test_the_page_is_small_enough_to_keep_for_every_day(page):
    assert len(page) < 3_000_000


def test_the_page_shows_the_columns_that_can_be_compared_and_no_record(page):
    content = unpacked(page)
    assert all(column in content for column in ("decision", "probability", "f_name"))
    assert "f_gone" not in content
    assert "secret-" not in content


def test_the_page_unpacks_to_what_was_packed():
    assert unpacked(packed("<p>Prüfung</p>")) == "<p>Prüfung</p>"


@pytest.mark.parametrize(
    ("column", "method", "kind"), [("f_name", "wasserstein", "Numerical"), ("decision", "jensenshannon", "Categorical")]
)
def test_the_effect_sizes_are_those_of_evidently(column, method, kind):
    from evidently.legacy.calculations import stattests
    from evidently.legacy.core import ColumnType

    then, now = REFERENCE[column].to_numpy(), CURRENT[column].to_numpy()
    test = {"wasserstein": stattests.wasserstein_stat_test, "jensenshannon": stattests.jensenshannon_stat_test}[method]
    theirs = test(pd.Series(then), pd.Series(now), getattr(ColumnType, kind), 0.1).drift_score
    ours = effect_size(*(part.astype(str) if kind == "Categorical" else part for part in (then, now)))
    assert ours == pytest.approx(theirs)
