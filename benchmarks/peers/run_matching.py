"""This project, in the same shape as its peers. Runs in its own environment, from the bundle that `job.json` names.

Reasons are told for every record. Beside the candidates it writes `decisions.parquet`: its threshold is the bundle's.
"""

import json
from pathlib import Path

import polars as pl
from job import Answer, Job, run

from matching.scoring import Scorer
from matching_assets.commands.match import BATCH


def prepare(job: Job) -> Answer:
    """Load the bundle, and let what is compiled be compiled."""
    scorer = Scorer.load(Path(json.loads((job.folder / "job.json").read_text())["bundle"]))
    scorer.score(job.records.head(64))

    def answer(records: pl.DataFrame) -> pl.DataFrame:
        scored = [scorer.score(batch) for batch in records.iter_slices(BATCH)]
        if records.height > 1:
            decisions = pl.concat([one.decisions for one in scored])
            decisions.select("record_id", "reference_id", "probability", "decision").write_parquet(
                job.folder / "decisions.parquet"
            )
        return pl.concat([one.candidates for one in scored]).drop("rank")

    return answer


if __name__ == "__main__":
    run(prepare)
