"""Stage 5, ranking: which candidate is the right one, how sure that is, and from when on nobody needs to look."""

from pathlib import Path

import dagster as dg
import polars as pl

from matching.certification import best_of, fit_policy
from matching.master import all_ids
from matching.training import training_facts
from matching_assets.folders import Folder, table_in
from matching_assets.owners import MODELS
from matching_assets.partitions import labelled
from matching_assets.reporting import report
from matching_assets.settings import Training
from resources.training import Trainer


@dg.asset(
    group_name="ranking",
    owners=[MODELS],
    kinds={"xgboost"},
    code_version="1",
    io_manager_key="folder_io_manager",
    pool="training",
)
def ranker(
    pair_features: pl.DataFrame,
    clean_records: pl.LazyFrame,
    labels: pl.DataFrame,
    reference_master: pl.DataFrame,
    training: Training,
    trainer: dg.ResourceParam[Trainer],
) -> dg.MaterializeResult[Path]:
    """Orders a record's candidates. Beside it: the margins of records whose entity their ranker had not seen."""
    config, records = training.fit_config(), labelled(clean_records, labels)
    tables = {"pair_features": pair_features, "records": records, "labels": labels}
    fitted = trainer.run("ranker", {**tables, "reference_master": reference_master}, config)
    out_of_fold = table_in(fitted, "out_of_fold")
    best = out_of_fold.sort("margin", descending=True).unique("record_id", keep="first", maintain_order=True)
    return report(
        fitted,
        numbers={
            "trees": config.ranker.trees,
            "records": best.height,
            "out_of_fold_top1": best.filter("right").height
            / max(out_of_fold.filter("right")["record_id"].n_unique(), 1),
        },
    )


@dg.asset(
    group_name="ranking",
    owners=[MODELS],
    kinds={"json"},
    code_version="1",
    io_manager_key="folder_io_manager",
)
def decision_policy(
    ranker: Path, clean_records: pl.LazyFrame, labels: pl.DataFrame, reference_master: pl.DataFrame, training: Training
) -> dg.MaterializeResult[Folder]:
    """From margin to probability, and from there to match, review or no match, with the certificate for it."""
    config, records = training.fit_config(), labelled(clean_records, labels)
    best = best_of(table_in(ranker, "out_of_fold"), records, labels, config)
    calibration, policy = fit_policy(best, config)
    certificate = policy.certificate
    trained_on = training_facts(reference_master, records, labels, config)
    facts = {"calibration": calibration.to_json(), "policy": policy.to_json(), "trained_on": trained_on}
    return report(
        Folder(facts=facts, tables={"earned_on": pl.DataFrame({"reference_id": all_ids(reference_master)})}),
        numbers={
            "threshold": certificate.threshold,
            "review_floor": policy.review_floor,
            "entities": certificate.entities,
            "accepted": certificate.accepted,
        },
        facts={"certificate": certificate.statement},
    )
