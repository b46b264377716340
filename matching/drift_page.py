"""Evidently's drift report as one HTML page, for people who want to see distributions.

The page shows effect sizes against the bounds of `matching.drift`, column by column; the verdict is that of
`matching.drift.compare`, which also asks for a test. Importing Evidently costs seconds and 300 MB, so it happens here,
inside the function, and only where a page is wanted.
"""

from __future__ import annotations

import base64
import gzip
from typing import Any

import numpy as np
import polars as pl

from matching.drift import SMALLEST_EFFECT, bound_of, judged_pairs, monitor_of
from matching.drift_statistics import IS_MISSING, effect_size

UNPACK = """<!DOCTYPE html>
<html lang="en"><head><meta charset="UTF-8"><title>Drift report</title></head>
<body><noscript>This page needs JavaScript.</noscript><script>
const packed = Uint8Array.from(atob("{packed}"), (letter) => letter.charCodeAt(0));
const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
new Response(stream).text().then((page) => {{ document.open(); document.write(page); document.close(); }});
</script></body></html>
"""


def evidently_html(
    current: pl.DataFrame, reference: pl.DataFrame, bounds: dict[str, Any] | None = None, monitor: str | None = None
) -> str:
    """Evidently's report on the columns that both frames have, as a page that needs no other file (about 2 MB).

    With a `monitor`, only on the columns that it judges.

    A column counts as drifted above its bound; without `bounds`, above SMALLEST_EFFECT. Evidently numbers its plots at
    random: two pages of the same frames differ in bytes.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    judged = {
        column: before.dtype.kind == "f"
        for column, (before, now) in judged_pairs(reference, current).items()
        if now is not None
        and not column.endswith(IS_MISSING)
        and monitor in (None, monitor_of(column))
        and np.isfinite(effect_size(before, now))
    }
    thresholds = {
        column: bound_of(bounds, column, current.height, reference.height) if bounds else SMALLEST_EFFECT
        for column in judged
    }
    kinds = DataDefinition(
        numerical_columns=[column for column, is_number in judged.items() if is_number],
        categorical_columns=[column for column, is_number in judged.items() if not is_number],
    )
    now, then = (Dataset.from_pandas(frame.select(*judged).to_pandas(), kinds) for frame in (current, reference))
    drift = DataDriftPreset(
        columns=list(judged),
        num_method="wasserstein",
        cat_method="jensenshannon",
        per_column_threshold=thresholds,
        drift_share=1 / len(judged),  # one column is enough
    )
    with np.errstate(invalid="ignore"):  # Evidently correlates constant columns too
        return packed(Report([drift]).run(now, then).get_html_str(as_iframe=False))


def packed(page: str) -> str:
    """A page that unpacks itself in the browser: Evidently's library alone is 3.5 MB, much to keep for every day."""
    content = gzip.compress(page.encode(), mtime=0)
    return UNPACK.format(packed=base64.b64encode(content).decode())
