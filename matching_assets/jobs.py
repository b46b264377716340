"""The jobs: what people and sensors start.

| job | what it does | started by |
|---|---|---|
| `daily_matching` | takes in one business day, matches, explains and watches it | a day's file landing |
| `collect_traffic` | what the endpoint was asked on a business day, as a table | a day that is over |
| `retrain` | everything from reference and labels to `approval`, where it ends | new labels, monitors, a person |
| `refresh_reference` | the same models on the reference as it is now, up to a new approval | a person |
| `promote` | compares the newest approved version with the champion, deploys it | a person; a sensor if on |
| `experiment` | looks at the A/B that is under way and records how it has turned out so far | a person |
| `rollback` | deploys the champion before this one | a person |
| `rescore` | scores a day again with any bundle, beside what was decided | `matching rescore`, a person |
| `close_matching` | withdraws the champion's certificate: all is reviewed | a broken certificate, a person |
| `expire` | deletes what is too old, and replaced versions of tables (`matching_assets/upkeep.py`) | a person |
| `erase` | erases the records that are asked for in landing/erasures | `matching erase` |

There are no schedules: a day is matched when its file lands, not when a clock strikes; and a model that is fit for its
data is not trained again because it is Sunday.
"""

import dagster as dg

from matching_assets.assets.serving import DeployConfig
from matching_assets.upkeep import erase, expire

INTAKE = ("raw_records", "clean_records", "quarantined_records")
MONITORS = ("integrity_report", "drift_report", "prediction_report", "concept_report", "performance_report")
DECIDED = ("match_decisions", "scoring_telemetry", "endpoint_telemetry", "decision_reasons")
MATCHING = (*DECIDED, *MONITORS, "live_quality", "review_queue", "operations_page")
REFERENCE = ("raw_reference", "raw_aliases", "reference_master")
INDEX = ("reference_embeddings", "retrieval_index")
LEARNT = ("encoder", "candidate_pairs", "pair_features", "ranker", "decision_policy", "global_explanations")
JUDGED = ("evaluation", "model_package", "model_card", "approval")

daily_matching = dg.define_asset_job(
    "daily_matching",
    selection=dg.AssetSelection.assets(*INTAKE, *MATCHING),
    description="Take in one business day, match it with the deployed version, explain and watch the decisions.",
    tags={"dagster/max_retries": "1"},
)

collect_traffic = dg.define_asset_job(
    "collect_traffic",
    selection=dg.AssetSelection.assets("endpoint_telemetry"),
    description="Collect what the endpoint was asked on a business day, all of it that there is by now.",
    tags={"dagster/max_retries": "1"},
)

retrain = dg.define_asset_job(
    "retrain",
    selection=dg.AssetSelection.assets("labels", "review_verdicts", *REFERENCE, *INDEX, *LEARNT, *JUDGED),
    description="Train, measure and register a new version. Ends at its approval: nothing is deployed.",
)

refresh_reference = dg.define_asset_job(
    "refresh_reference",
    selection=dg.AssetSelection.assets("labels", *REFERENCE, *INDEX, *JUDGED),
    description="Put the models that are there on the reference as it is now: no training, a new version to approve.",
)

promote = dg.define_asset_job(
    "promote",
    selection=dg.AssetSelection.assets("shadow_comparison", "experiment_result", "deployed_endpoint"),
    description="Compare the newest approved version with the champion, look at the A/B if one is under way, "
    "and deploy it. The one that serves stays until the new one answers.",
)

experiment = dg.define_asset_job(
    "experiment",
    selection=dg.AssetSelection.assets("experiment_result").without_checks(),
    description="Look at the A/B that is under way: what labels show so far. May be run as often as one likes.",
)

rollback = dg.define_asset_job(
    "rollback",
    selection=dg.AssetSelection.assets("deployed_endpoint"),
    config=dg.RunConfig(ops={"deployed_endpoint": DeployConfig(version="previous")}),
    description="Deploy the champion before this one, if it is still approved.",
)

rescore = dg.define_asset_job(
    "rescore",
    selection=dg.AssetSelection.assets("rescored_decisions", "decision_diff"),
    description="Score a day again with a bundle of your choice, and say what would be otherwise and why. What was "
    "decided stays. Several days: a backfill, with the same configuration.",
)

close_matching = dg.define_asset_job(
    "close_matching",
    selection=dg.AssetSelection.assets("deployed_endpoint"),
    config=dg.RunConfig(ops={"deployed_endpoint": DeployConfig(version="closed")}),
    description="Match nothing without review until a version is promoted or rolled back: the champion without its "
    "certificate. A second time does nothing.",
    tags={"dagster/max_retries": "2"},
)

TRAINED, SERVED = (retrain, refresh_reference), (promote, experiment, rollback, close_matching)
JOBS = (daily_matching, collect_traffic, *TRAINED, *SERVED, rescore, expire, erase)
