"""What training and review may be told: one place for all that share it, shown and changed in the UI's launchpad."""

import dagster as dg
from pydantic import Field

from matching.fit_config import FitConfig
from matching.ranker import RankerConfig
from matching.retrieval.encoder import EncoderConfig
from matching.review import ReviewPlan


class Training(dg.ConfigurableResource):
    """The settings that all training assets share, so that they cannot differ between stages."""

    target_precision: float = Field(0.99, description="What automatic matches have to be right by.")
    confidence: float = Field(0.95, description="How sure the certificate is of it.")
    most_false_accepts: float = Field(0.04, description="Of records without a match, the share that may be matched.")
    seed: int = Field(7, description="Decides every draw and every split. The same seed and data give the same bytes.")
    holdout_share: float = Field(0.2, description="Share of the entities that are only measured on.")
    encoder_steps: int = Field(240, description="Training batches of the encoder.")
    ranker_trees: int = Field(100, description="Trees of the ranker.")
    least_new_labels: int = Field(100, description="New labels that are worth a training, which then starts by itself.")

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


class Review(dg.ConfigurableResource):
    """How much people review, and what is audited. Who monitors and who asks have to know the same."""

    capacity: int = Field(200, description="Verdicts that people can give on a day's queue.")
    match_audit: float = Field(0.05, description="Share of the automatic matches that is audited.")
    no_match_audit: float = Field(0.02, description="Share of the automatic refusals that is audited.")
    double_share: float = Field(0.1, description="Share of the queue that two people judge.")
    seed: int = Field(7, description="Of the draws. Another one draws another audit, so it stays.")

    def plan(self) -> ReviewPlan:
        """As the domain takes it."""
        return ReviewPlan(self.capacity, self.match_audit, self.no_match_audit, self.double_share, self.seed)
