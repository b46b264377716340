"""Splink on DuckDB, unsupervised: Fellegi-Sunter weights learnt by expectation maximisation, term frequencies adjusted.

Splink's authors say that a bag of words in one column is not what it is for. Names are given to it as the whole name,
the first word and the list of words, with the country where there is one.
"""

import logging
import re
import unicodedata
from collections import Counter

import duckdb
import polars as pl
import splink.comparison_library as cl
from job import Answer, Job, run
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink.internals.splink_dataframe import SplinkDataFrame

COMMON = 400  # references that have a word: a word that more have makes blocks too large
EXPECTED = 0.8  # of the records have one reference; estimated from equal names, EM can end at a chance of nought
SEED = 7


def prepare(job: Job) -> Answer:
    """Learn the weights from the reference and the records to learn from; their labels are not looked at."""
    reference, has_country = job.reference, "country" in job.reference.columns
    counts = Counter(word for split in words(reference["name"]) for word in set(split))
    common = {word for word, count in counts.items() if count > COMMON}
    duck = duckdb.connect()
    duck.execute("SET enable_progress_bar = false")
    api = DuckDBAPI(duck)

    def register(frame: pl.DataFrame, key: str) -> SplinkDataFrame:
        made = table(frame, key, common, has_country).with_columns(source_dataset=pl.lit(key))
        return api.register(made.to_arrow())

    known = register(reference, "reference_id")
    linker = Linker([known, register(job.taught, "record_id")], settings(has_country, reference.height))
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=SEED)
    for rule in (block_on("first"), block_on("substr(core, 1, 6)")):
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, fix_probability_two_random_records_match=True
        )
    for column in ("core", "first"):
        linker.table_management.compute_tf_table(column)

    def answer(records: pl.DataFrame) -> pl.DataFrame:
        asked = register(records, "record_id")
        found = pl.from_arrow(
            linker.inference.predict_between(known, asked, threshold_match_weight=-10).as_pyarrow_table()
        )
        pairs = found.select(record_id="unique_id_r", reference_id="unique_id_l", score="match_weight")
        return pairs.unique(["record_id", "reference_id"])

    return answer


def settings(has_country: bool, references: int) -> SettingsCreator:
    """Comparisons, blocks, and the chance that a record and a reference match."""
    comparisons = [
        cl.JaroWinklerAtThresholds("core", [0.96, 0.92, 0.86]).configure(term_frequency_adjustments=True),
        cl.ArrayIntersectAtSizes("words", [4, 3, 2, 1]),
        cl.LevenshteinAtThresholds("first", [1]).configure(term_frequency_adjustments=True),
    ]
    if has_country:
        comparisons.append(cl.ExactMatch("country"))
    blocks = [block_on("core"), block_on("substr(core, 1, 6)"), block_on("rare", arrays_to_explode=["rare"])]
    chance = EXPECTED / references
    return SettingsCreator("link_only", comparisons, blocks, chance, retain_matching_columns=False)


def table(frame: pl.DataFrame, key: str, common: set[str], has_country: bool) -> pl.DataFrame:
    """The columns that the settings speak of."""
    split = words(frame["name"])
    rare = [sorted({word for word in own if word not in common}) for own in split]
    columns = {"words": split, "rare": rare}
    return frame.select(pl.col(key).alias("unique_id"), *(["country"] if has_country else [])).with_columns(
        *(pl.Series(name, lists, dtype=pl.List(pl.String)) for name, lists in columns.items()),
        core=pl.Series([" ".join(own) for own in split]),
        first=pl.Series([own[0] if own else None for own in split], dtype=pl.String),
    )


def words(names: pl.Series) -> list[list[str]]:
    """The words of each name in lower case, without accents or punctuation."""
    plain = (unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower() for name in names)
    return [re.findall(r"[a-z0-9]+", text) for text in plain]


if __name__ == "__main__":
    logging.disable(logging.INFO)
    run(prepare)
