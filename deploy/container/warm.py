"""Compile every kernel once, while the image is built: a container then answers after seconds and not after minutes.

Run in the image by the Dockerfile. A bundle is made of made-up names and asked as the endpoint will be: one record,
and many. What is compiled lies in NUMBA_CACHE_DIR and is good for every processor that NUMBA_CPU_NAME stands for.
"""

import itertools
import tempfile
from pathlib import Path

import polars as pl

from matching.scoring import Scorer
from matching.train import run
from matching.training import FitConfig
from matching.training_steps import write_tables

FIRST = (
    "Atlas",
    "Boreal",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbor",
    "Indigo",
    "Juniper",
    "Krypton",
    "Lunar",
)
SECOND = ("Energy", "Foods", "Holdings", "Insurance", "Logistics", "Metals", "Pharma", "Steel", "Textiles", "Water")
FORMS = ("Inc", "plc", "GmbH")

if __name__ == "__main__":
    names = [" ".join(words) for words in itertools.product(FIRST, SECOND, FORMS)]
    reference = pl.DataFrame({"reference_id": [f"r{n}" for n in range(len(names))], "name": names}).with_columns(
        country=pl.lit("United Kingdom"), city=pl.lit("London"), website=pl.lit("example.com")
    )
    records = reference.rename({"reference_id": "record_id"})
    with tempfile.TemporaryDirectory() as scratch:
        write_tables({"reference": reference}, Path(scratch) / "input")
        run("bundle", Path(scratch) / "input", FitConfig(), Path(scratch) / "bundle")
        scorer = Scorer.load(Path(scratch) / "bundle")
        for asked in (records.head(1), records.head(20), records):
            scorer.score(asked)
