"""OpenSanctions' `logic-v2` rules, on the job's candidates: it has no retrieval for a reference of names alone."""

import polars as pl
from followthemoney import EntityProxy, model
from job import Answer, Job, run
from nomenklatura.matching import LogicV2


def prepare(job: Job) -> Answer:
    """Make companies of the references that are candidates."""
    blocked = job.blocked.group_by("record_id", maintain_order=True).agg("reference_id")
    candidates = dict(blocked.iter_rows())
    wanted = job.reference.join(job.blocked.select("reference_id").unique(), on="reference_id", how="semi")
    known = {row["reference_id"]: company(row["reference_id"], row) for row in wanted.iter_rows(named=True)}
    config = LogicV2.default_config()

    def answer(records: pl.DataFrame) -> pl.DataFrame:
        rows = []
        for row in records.iter_rows(named=True):
            record = company(row["record_id"], row)
            for reference_id in candidates.get(row["record_id"], []):
                score = LogicV2.compare(record, known[reference_id], config).score
                rows.append((row["record_id"], reference_id, score))
        schema = {"record_id": pl.String, "reference_id": pl.String, "score": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    return answer


def company(key: str, row: dict[str, str | None]) -> EntityProxy:
    """A record or a reference as FollowTheMoney sees it."""
    entity = model.make_entity("Company")
    entity.id = key
    entity.add("name", row["name"])
    if row.get("country"):
        entity.add("country", row["country"])
    return entity


if __name__ == "__main__":
    run(prepare)
