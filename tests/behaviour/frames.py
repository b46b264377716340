"""What the matcher of the behaviours is trained on: the embedded sample, and what it lacks for some behaviours."""

from __future__ import annotations

import polars as pl

from matching.names import parse_name
from matching.records import read_table
from matching.split import hash_keys
from matching_assets.sample import sample_files

# References that single behaviours speak of: id, name, home.
REFERENCES = (
    ("DAIMLER-TRUCK", "Daimler Truck Holding AG", "Germany"),
    ("TRUST-583", "First Trust Combined Series 583", "United States"),
    ("TRUST-584", "First Trust Combined Series 584", "United States"),
    ("BANQUE", "Banque Générale Européenne SA", "France"),
    ("ZENITH-1", "Zenith Copper Mining Corp", "Canada"),
    ("ZENITH-2", "Zenith Copper Mining Corp", "Canada"),
    ("ORION-CA", "Orion Harbour Lines Ltd", "Canada"),
    ("ORION-DE", "Orion Harbour Lines Ltd", "Germany"),
)
# Invented families: the sample has too few numbered funds, share classes and slips of the pen to learn from.
FAMILIES = (
    "Abrantes", "Bellweather", "Calderwick", "Dunmorrow", "Eastergate", "Fennimore", "Galvestine", "Harrowgate",
    "Inverloch", "Juneberry", "Kestrelton", "Larkmoor", "Marchbanks", "Northolt", "Oxmantown", "Pellworm",
    "Quillfeather", "Ravensworth", "Sandilands", "Thistlewick", "Umberland", "Velindre", "Wexcombe", "Yarrowby",
)  # fmt: skip
FUNDS, CLASSES = ("II", "III"), ("A", "B")
# What the name of a company that is not in the reference may have more than that of its parent, which is.
RELATIVES = (
    "Capital Trust", "Finance BV", "Energy LLC", "Services GmbH", "Insurance Co", "Realty LP", "Ventures",
    "Logistics SA", "Group LLC", "Foundation",
)  # fmt: skip


def family_references(f: str) -> list[tuple[str, str, str]]:
    """Two funds and two share classes: id, name, home."""
    return [
        *((f"{f}-{number}", f"{f} Income Fund {number}", "United States") for number in FUNDS),
        *((f"{f}-{letter}", f"{f} Media Corp Class {letter}", "United States") for letter in CLASSES),
    ]


def family_records(f: str) -> list[tuple[str, list[str]]]:
    """Records of a family: name, ids of the references that are right."""
    slip = f"{f[:4]}{f[5]}{f[4]}{f[6:]}"
    return [
        *((f"{f.upper()} MEDIA CORP CL {letter}", [f"{f}-{letter}"]) for letter in CLASSES),
        (f"{f} Media Corp", [f"{f}-{letter}" for letter in CLASSES]),
        (f"{f} Income Fund 2", [f"{f}-II"]),
        (f"{f} Inc Fd III", [f"{f}-III"]),
        (f"{slip} Income Fund III", [f"{f}-III"]),
        (f"{f} Income Fund IV", []),
        (f"{f} Income Fund V", []),
        (f"{f} Media Corp Class C", []),
    ]


def absent_relatives(reference: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """Records of companies that are not in the reference but have a parent there, as `family_records` gives them."""
    parents = reference.filter(pl.Series(hash_keys(reference["reference_id"], "parent") % 40 == 0))["name"]
    return [(f"{parse_name(p).core} {RELATIVES[i % len(RELATIVES)]}".title(), []) for i, p in enumerate(parents)]


def references_at_home(reference: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The sample's references with a country, which they lack.

    A labelled one has that of its record, any other the United States; but by a hash one in ten has another and two in
    ten have none, as real ones err and lack.
    """
    known = labels.join(records, on="record_id").group_by("reference_id").agg(pl.col("country").drop_nulls().first())
    fate = pl.Series(hash_keys(reference["reference_id"], "home") % 10)
    home = pl.col("country").fill_null("United States")
    country = pl.when(fate == 0).then(pl.lit("Cayman Islands")).when(fate > 2).then(home)
    joined = reference.join(known, on="reference_id", how="left", maintain_order="left")
    return joined.select("reference_id", "name", country=country)


def records_of_some_home(records: pl.DataFrame) -> pl.DataFrame:
    """Records of which one in three says nothing of its country, by a hash: so a name alone is nothing unheard of."""
    silent = pl.Series(hash_keys(records["record_id"], "home") % 3 == 0)
    return records.with_columns(pl.when(~silent).then("country").alias("country"))


def training_frames() -> dict[str, pl.DataFrame]:
    """`reference`, `records` and `labels`, as `fit` takes them."""
    sample = {name: read_table(path) for name, path in sample_files().items()}
    reference = references_at_home(**sample)
    invented = [*REFERENCES, *(row for f in FAMILIES for row in family_references(f))]
    told = [row for f in FAMILIES for row in family_records(f)] + absent_relatives(reference)
    names, answers = zip(*told, strict=True)
    ids = [f"F{i:03}" for i in range(len(names))]
    records = pl.DataFrame({"record_id": ids, "name": names, "country": "United States"})
    labels = pl.DataFrame(
        {
            "record_id": ids,
            "reference_id": [right[0] if right else None for right in answers],
            "entity_key": [right[0] if right else i for right, i in zip(answers, ids, strict=True)],
            "same_name_alternatives": [right[1:] for right in answers],
        }
    )
    return {
        "reference": pl.concat([reference, pl.DataFrame(invented, schema=reference.schema, orient="row")]),
        "records": records_of_some_home(pl.concat([sample["records"], records], how="diagonal")),
        "labels": pl.concat([sample["labels"], labels], how="diagonal"),
    }
