"""Who answers for what: the words that the UI filters assets by and that alerts are sent to."""

REFERENCE_DATA = "team:reference-data"
MODELS = "team:matching-models"
MODEL_RISK = "team:model-risk"
ON_CALL = "team:on-call"
