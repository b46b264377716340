"""Training without labels: records made up from the reference alone, written as feeds write (self-supervision).

Each is a reference's name as `matching.retrieval.perturb` distorts it, with some of its attributes. For a share of them
the reference is left out while the ranker learns, so that it learns from records whose entity is absent, with all their
near neighbours still there, what no match looks like. Then the models are put on the whole reference.

Made-up records rank candidates well and show nothing about real ones: such a version has no certificate, and all that
is likely enough goes to review. Labels that reviewers give are what it is trained on next.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl

from matching.bundle import Manifest, read_manifest
from matching.fit_config import FitConfig
from matching.records import ATTRIBUTES, InputError
from matching.retrieval.perturb import perturb
from matching.scoring import Scorer
from matching.split import hash_keys
from matching.training import fit

MOST = 6_000
LEAST = 100
ABSENT_SHARE = 0.2
KNOWN_SHARE = 0.6


def invent(reference: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(references that stay, records, labels) from a guarded reference; the same seed gives the same.

    At most MOST references are written again, one record each; ABSENT_SHARE of them do not stay, and their records have
    no match. An attribute is known of a record with probability KNOWN_SHARE. Raises InputError below LEAST references.
    """
    if reference.height < LEAST:
        raise InputError(
            f"{reference.height} references are too few to make up records from", file="reference",
            remedy=f"Deliver at least {LEAST}, or records with labels.",
        )  # fmt: skip
    chosen = (
        reference.with_columns(_drawn=pl.Series(hash_keys(reference["reference_id"], f"invented {seed}")))
        .sort("_drawn")
        .head(min(MOST, reference.height // 2))
        .drop("_drawn")
    )
    dice = random.Random(seed)  # noqa: S311 - reproducible, not secret
    known = [a for a in ATTRIBUTES if a in reference.columns]
    rows = [
        {"record_id": f"made-up {row['reference_id']}", "name": perturb(row["name"], dice)}
        | {a: row[a] if dice.random() < KNOWN_SHARE else None for a in known}
        for row in chosen.iter_rows(named=True)
    ]
    absent = chosen.head(int(ABSENT_SHARE * chosen.height))["reference_id"]
    labels = pl.DataFrame({"record_id": [r["record_id"] for r in rows], "entity_key": chosen["reference_id"]})
    labels = labels.with_columns(
        reference_id=pl.when(~pl.col("entity_key").is_in(absent.implode())).then(pl.col("entity_key"))
    )
    schema = {"record_id": pl.String, "name": pl.String} | {a: reference.schema[a] for a in known}
    return (
        reference.filter(~pl.col("reference_id").is_in(absent.implode())),
        pl.DataFrame(rows, schema=schema),
        labels,
    )


def fit_without_labels(
    reference: pl.DataFrame, aliases: pl.DataFrame | None = None, config: FitConfig | None = None, *, bundle: Path,
    progress: Callable[[str, float], None] | None = None,
) -> Manifest:  # fmt: skip
    """Train on made-up records and write a bundle over the whole reference, without a certificate.

    Metrics in the manifest are of made-up records whose entity their ranker had not seen.
    """
    config = replace(config or FitConfig(), invented=True)
    kept, records, labels = invent(reference, config.seed)
    of_kept = None if aliases is None else aliases.join(kept, on="reference_id", how="semi", maintain_order="left")
    with tempfile.TemporaryDirectory(dir=bundle.parent, prefix=f".{bundle.name}.") as scratch:
        draft = Path(scratch) / "draft"
        fit(kept, records, labels, of_kept, config, bundle=draft, progress=progress)
        Scorer.load(draft).reindex(reference, aliases, bundle)
    return read_manifest(bundle)
