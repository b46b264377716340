"""What a training run is told, and which entities it uses for what."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from matching.ranker import RankerConfig
from matching.retrieval.encoder import EncoderConfig
from matching.split import entity_keys, is_held_out

ENCODER, RANKER, HELD_OUT = "encoder", "ranker", "held_out"


@dataclass(frozen=True)
class FitConfig:
    """Everything a training run can be told.

    most_false_accepts: of records that have no match, the share that may be matched.
    invented: the records are made up (`matching.invented`), so they earn no certificate.
    train_depth: the candidates of a record that the ranker learns from; all `top_k` are ranked.
    """

    target_precision: float = 0.99
    confidence: float = 0.95
    most_false_accepts: float = 0.04
    seed: int = 7
    folds: int = 5
    top_k: int = 50
    train_depth: int = 20
    holdout_share: float = 0.0
    invented: bool = False
    encoder_share: float = 0.1
    miss_share: float = 0.01
    golden_size: int = 60
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)


def assign_use(labels: pl.DataFrame, config: FitConfig) -> pl.DataFrame:
    """Labels with `entity_key` and `use` (encoder, ranker, held_out), by hash of the entity."""
    keys = entity_keys(labels)
    held_out = is_held_out(keys, config.holdout_share, config.seed)
    encoder = is_held_out(keys, config.encoder_share, config.seed + 1)
    use = np.where(held_out, HELD_OUT, np.where(encoder, ENCODER, RANKER))
    return labels.with_columns(keys.alias("entity_key"), pl.Series("use", use, dtype=pl.String))
