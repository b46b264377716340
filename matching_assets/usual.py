"""What ordinary traffic looks like to a version in the making: the reference that its drift is measured from.

The records of the newest days as they came, so that a version which was trained because the feed had changed takes the
new feed for what is usual; and none that it learnt from, because it is surer of those. People label what is uncertain,
so that leaving out what was learnt from would leave out the hard ones: of the labelled records of those days the
held-out ones, which a hash has drawn, count for the others too (Horvitz & Thompson, "A Generalization of Sampling
Without Replacement", 1952).
"""

import numpy as np
import polars as pl

from matching.fit_config import HELD_OUT, FitConfig, assign_use
from matching.split import entity_keys
from matching_assets.landing import DAY

LEAST_ROWS = 400
"""As many days are taken as have so many records. Four windows of the fewest rows that drift is judged on."""


def usual_records(arrived: pl.DataFrame, labels: pl.DataFrame, config: FitConfig) -> pl.DataFrame:
    """Records of the newest days, with their `entity`; one that counts for others is there more than once.

    arrived: records with their day, in the order of arrival.
    """
    known = assign_use(labels, config).with_columns(entity=entity_keys(labels)).select("record_id", "use", "entity")
    came = arrived.unique("record_id", keep="last", maintain_order=True)
    fresh = came.join(known, on="record_id", how="left", maintain_order="left").filter(
        pl.col("use").is_null() | (pl.col("use") == HELD_OUT)
    )
    for_others = round(1 / config.holdout_share) if fresh["use"].null_count() and config.holdout_share else 1
    counted = fresh.with_columns(
        entity=pl.coalesce("entity", "record_id"), counts=pl.when(pl.col("use").is_null()).then(1).otherwise(for_others)
    )
    days = counted.group_by(DAY).agg(pl.col("counts").sum()).sort(DAY, descending=True)
    needed = days.filter(pl.col("counts").cum_sum().shift(1, fill_value=0) < LEAST_ROWS)
    newest = counted.filter(pl.col(DAY) >= needed[DAY].min())
    return newest[np.repeat(np.arange(newest.height), newest["counts"])].drop("use", "counts", DAY)
