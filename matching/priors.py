"""How often records of an origin have their entity in the reference: those of one country more often than of another.

The name cannot tell a company from a namesake abroad that is not in the reference; where the record comes from can. The
log-odds are learnt from labels, entities counted once, and drawn towards the average where there are few (an empirical
Bayes estimate). A value that was never seen says nothing. In training a record's own entity never has a say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.master import comparable

PRIOR_ATTRIBUTES = ("country", "exchange", "currency")
STRENGTH = 8.0  # entities that the average counts for
MOST = 4.0  # log-odds


@dataclass(frozen=True)
class Priors:
    """Log-odds of having a match, less those of all records, by attribute and comparable value."""

    log_odds: dict[str, dict[str, float]]

    @classmethod
    def fit(cls, origins: pl.DataFrame) -> Priors:
        """Learn from labelled records: entity_key, has_match (bool), and any of PRIOR_ATTRIBUTES in comparable form."""
        average = _share(origins.group_by("entity_key").agg(pl.col("has_match").any())["has_match"])
        learnt = {}
        for attribute in (a for a in PRIOR_ATTRIBUTES if a in origins.columns):
            counted = (
                origins.drop_nulls(attribute)
                .unique([attribute, "entity_key", "has_match"])
                .group_by(attribute)
                .agg(pl.len(), pl.col("has_match").sum())
                .sort(attribute)
            )
            learnt[attribute] = {
                value: _log_odds((matched + STRENGTH * average) / (entities + STRENGTH)) - _log_odds(average)
                for value, entities, matched in counted.iter_rows()
            }
        return cls(learnt)

    def columns(self, origins: pl.DataFrame) -> NDArray[np.float32]:
        """What is known of each record's origin, 0 where nothing is. float32 [n, len(PRIOR_ATTRIBUTES)]."""
        out = np.zeros((origins.height, len(PRIOR_ATTRIBUTES)), np.float32)
        for i, attribute in enumerate(PRIOR_ATTRIBUTES):
            known = self.log_odds.get(attribute, {})
            if attribute in origins.columns:
                out[:, i] = [known.get(v, 0.0) for v in origins[attribute]]
        return np.clip(out, -MOST, MOST)


def origins_of(records: pl.DataFrame) -> pl.DataFrame:
    """PRIOR_ATTRIBUTES of records in comparable form, null where a record or the whole frame has none."""
    return records.select(
        pl.Series(a, [comparable(a, v) for v in records[a].cast(pl.String)], dtype=pl.String)
        if a in records.columns
        else pl.Series(a, [None] * records.height, dtype=pl.String)
        for a in PRIOR_ATTRIBUTES
    )


def _share(has_match: pl.Series) -> float:
    """The share of matches, kept away from 0 and 1."""
    return (float(has_match.sum()) + 0.5) / (len(has_match) + 1)


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)
