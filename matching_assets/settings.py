"""What a training run may be told: one place for all of its stages, shown and changed in the UI's launchpad."""

import dagster as dg
from pydantic import Field

from matching.fit_config import FitConfig
from matching.ranker import RankerConfig
from matching.retrieval.encoder import EncoderConfig


class Training(dg.ConfigurableResource):
    """The settings that all training assets share, so that they cannot differ between stages."""

    target_precision: float = Field(0.99, description="What automatic matches have to be right by.")
    confidence: float = Field(0.95, description="How sure the certificate is of it.")
    most_false_accepts: float = Field(0.04, description="Of records without a match, the share that may be matched.")
    seed: int = Field(7, description="Decides every draw and every split. The same seed and data give the same bytes.")
    holdout_share: float = Field(0.2, description="Share of the entities that are only measured on.")
    encoder_steps: int = Field(240, description="Training batches of the encoder.")
    ranker_trees: int = Field(100, description="Trees of the ranker.")

    def fit_config(self) -> FitConfig:
        """As the domain takes it."""
        return FitConfig(
            target_precision=self.target_precision,
            confidence=self.confidence,
            most_false_accepts=self.most_false_accepts,
            seed=self.seed,
            holdout_share=self.holdout_share,
            encoder=EncoderConfig(steps=self.encoder_steps, seed=self.seed),
            ranker=RankerConfig(trees=self.ranker_trees, seed=self.seed),
        )
