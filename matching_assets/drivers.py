"""What drives the ranker as a whole: the mean size of each feature's exact contribution, as a table and as plots."""

from typing import Any

import numpy as np
import polars as pl

from matching.features import FEATURE_NAMES, FEATURES
from matching.ranker import Ranker
from matching_assets.plots import drawn

MOST_PAIRS = 2000
DRAWN_PAIRS = 500


def explain_ranker(ranker: Ranker, pairs: pl.DataFrame) -> tuple[pl.DataFrame, Any]:
    """The drivers, and the same as a shap.Explanation for plots: of the first candidate of each record.

    The table: feature, reason_group, description, mean_contribution (log-odds, absolute), share (of all features), the
    strongest first.
    """
    import shap

    matrix = pairs.filter(pl.col("rank") == 1).head(MOST_PAIRS).select(FEATURE_NAMES).to_numpy().astype(np.float32)
    contributions = ranker.contributions(matrix)
    size = np.abs(contributions[:, :-1]).mean(axis=0)
    table = pl.DataFrame(
        {
            "feature": FEATURE_NAMES,
            "reason_group": [feature.reason_group for feature in FEATURES],
            "description": [feature.description for feature in FEATURES],
            "mean_contribution": size,
            "share": size / max(size.sum(), 1e-12),
        }
    ).sort("share", "feature", descending=[True, False])
    explained = shap.Explanation(
        contributions[:, :-1], base_values=contributions[:, -1], data=matrix, feature_names=list(FEATURE_NAMES)
    )
    return table, explained


def shap_plots(explained: Any) -> dict[str, str]:
    """Plots of shap, bar and beeswarm, as Markdown images. Dots are pixels: as vectors they would be a megabyte."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt
    import shap

    plots = {}
    for name, plot in (("bar", shap.plots.bar), ("beeswarm", shap.plots.beeswarm)):
        figure = plt.figure()
        plot(explained[:DRAWN_PAIRS], max_display=12, show=False)
        for axes in figure.axes:
            for dots in axes.collections:
                dots.set_rasterized(True)
        plots[f"shap_{name}"] = drawn(figure, f"shap {name}")
        plt.close(figure)
    return plots
