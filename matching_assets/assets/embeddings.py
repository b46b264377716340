"""Stage 4, embeddings: how names become vectors, and the index that finds candidates by words and by vectors."""

from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl

from matching.retrieval.encoder import Encoder
from matching.retrieval.index import RetrievalIndex, variant_names
from matching.training import encoder_pairs
from matching.training_steps import START
from matching_assets.folders import Folder, array_in
from matching_assets.owners import MODELS
from matching_assets.partitions import labelled
from matching_assets.reporting import report
from matching_assets.settings import Training
from matching_assets.warm_start import start_of, told
from resources.registry import Registry
from resources.store import ObjectStore
from resources.training import Trainer


@dg.asset(
    group_name="embeddings",
    owners=[MODELS],
    kinds={"pytorch"},
    code_version="1",
    io_manager_key="folder_io_manager",
    pool="training",
)
def encoder(
    reference_master: pl.DataFrame,
    clean_records: pl.LazyFrame,
    labels: pl.DataFrame,
    training: Training,
    trainer: dg.ResourceParam[Trainer],
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[Path]:
    """Turns a name into a vector, so that writings of one entity lie together. Trained here: no foreign weights."""
    config, records = training.fit_config(), labelled(clean_records, labels)
    tables = {"reference_master": reference_master, "records": records, "labels": labels}
    start = start_of(tables, config, registry, store)
    trained = trainer.run("encoder", tables, config, {START: start} if start else None)
    pairs = len(encoder_pairs(reference_master, records, labels, config))
    return report(
        trained,
        numbers={"training_names": reference_master.height, "training_pairs": pairs},
        facts={"began_at": told(start)},
    )


@dg.asset(
    group_name="embeddings",
    owners=[MODELS],
    kinds={"numpy"},
    code_version="1",
    io_manager_key="folder_io_manager",
)
def reference_embeddings(reference_master: pl.DataFrame, encoder: Path) -> dg.MaterializeResult[Folder]:
    """A vector for each name and alias of the master."""
    vectors = Encoder.load(encoder).embed(variant_names(reference_master)[0])
    empty = int((np.abs(vectors).sum(axis=1) == 0).sum())
    return report(
        Folder(arrays={"embeddings": vectors}),
        numbers={"vectors": len(vectors), "dimensions": vectors.shape[1], "names_without_words": empty},
    )


@dg.asset(
    group_name="embeddings",
    owners=[MODELS],
    kinds={"numpy", "numba"},
    code_version="1",
    io_manager_key="folder_io_manager",
)
def retrieval_index(
    reference_master: pl.DataFrame, encoder: Path, reference_embeddings: Path
) -> dg.MaterializeResult[Folder]:
    """Finds the references that a record may be: by trigrams and words, by vectors, and by both together."""
    vectors = np.array(array_in(reference_embeddings, "embeddings"))
    index = RetrievalIndex.build(reference_master, Encoder.load(encoder), vectors)
    return report(Folder([index]), numbers={"references": reference_master.height, "names": len(vectors)})
