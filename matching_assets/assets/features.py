"""Stage 3, features: the candidates of every labelled record, and what is compared between the two of a pair."""

from pathlib import Path

import dagster as dg
import polars as pl

from matching.features import FEATURES, retrieve
from matching.features import pair_features as compare
from matching.retrieval.encoder import Encoder
from matching.retrieval.index import RetrievalIndex
from matching.training import label_pairs
from matching_assets.owners import MODELS
from matching_assets.partitions import labelled
from matching_assets.reporting import report
from matching_assets.settings import Training


@dg.asset(group_name="features", owners=[MODELS], kinds={"polars", "iceberg"}, code_version="1", pool="training")
def candidate_pairs(
    clean_records: pl.LazyFrame, labels: pl.DataFrame, retrieval_index: Path, encoder: Path, training: Training
) -> dg.MaterializeResult[pl.DataFrame]:
    """The references that retrieval finds for each labelled record: the ranker can only choose among these."""
    records = labelled(clean_records, labels)
    index = RetrievalIndex.load(retrieval_index, Encoder.load(encoder))
    pairs = retrieve(index, records, training.fit_config().top_k)
    without = records.height - pairs["record_id"].n_unique()
    return report(pairs, numbers={"records": records.height, "records_without_candidates": without})


@dg.asset(group_name="features", owners=[MODELS], kinds={"polars", "iceberg"}, code_version="1", pool="training")
def pair_features(
    candidate_pairs: pl.DataFrame,
    clean_records: pl.LazyFrame,
    labels: pl.DataFrame,
    retrieval_index: Path,
    encoder: Path,
    training: Training,
) -> dg.MaterializeResult[pl.DataFrame]:
    """What is compared between a record and each candidate, and whether the candidate is the right one."""
    index = RetrievalIndex.load(retrieval_index, Encoder.load(encoder))
    records = labelled(clean_records, labels)
    pairs = label_pairs(compare(index, records, candidate_pairs), records, labels, index.master, training.fit_config())
    return report(pairs, numbers={"features": len(FEATURES), "right_pairs": pairs["right"].sum()})
