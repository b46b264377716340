"""ING's Entity Matching Model with its supervised layer: default indexers, trained on the labelled records of the job.

Accents are stripped by `unidecode`, which emm takes where it is installed. No-match records teach it as well: their
candidates are wrong ones.
"""

import pandas as pd
import polars as pl
from emm import PandasEntityMatching
from emm.data.prepare_name_pairs import prepare_name_pairs_pd
from job import Answer, Job, run


def prepare(job: Job) -> Answer:
    """Index the reference, then train on the candidates of the labelled records."""
    reference, taught = job.reference, job.taught
    has_country = "country" in reference.columns
    ids = reference["reference_id"].to_list()
    number = {reference_id: i for i, reference_id in enumerate(ids)}
    matcher = PandasEntityMatching(name_only=not has_country, entity_id_col="id", name_col="name", supervised_on=False)
    matcher.fit(named(reference, has_country).assign(id=range(len(ids))))
    asked = named(taught, has_country).assign(id=[number.get(i, -1 - k) for k, i in enumerate(taught["reference_id"])])
    pairs = matcher.transform(asked).drop(columns=["name", "gt_name"]).rename(columns={"score": "score_0"})
    extra = [("country", agreement)] if has_country else None
    matcher.fit_classifier(train_name_pairs=prepare_name_pairs_pd(pairs), extra_features=extra)

    def answer(records: pl.DataFrame) -> pl.DataFrame:
        found = matcher.transform(named(records, has_country).assign(id=range(records.height)))
        found = found[found["gt_entity_id"].notna() & found["nm_score"].notna()]
        columns = {
            "record_id": records["record_id"].gather(found["entity_id"].to_numpy(dtype="int64")),
            "reference_id": reference["reference_id"].gather(found["gt_entity_id"].to_numpy(dtype="int64")),
            "score": found["nm_score"].to_numpy(dtype="float64"),
        }
        return pl.DataFrame(columns).group_by("record_id", "reference_id").agg(pl.col("score").max())

    return answer


def named(frame: pl.DataFrame, has_country: bool) -> pd.DataFrame:
    """The columns that emm reads; a country that is unknown is empty."""
    return pd.DataFrame({c: frame[c].fill_null("").to_list() for c in ("name", *(["country"] if has_country else []))})


def agreement(one: str | None, other: str | None) -> int:
    """emm's own feature: 1 same, -1 another, 0 unknown. Its comparison fails on unknown ones under pandas 3."""
    return 0 if not one or not other else 1 if one == other else -1


if __name__ == "__main__":
    run(prepare)
