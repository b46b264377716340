"""Train, calibrate and certify on labelled records: a bundle. Without records and labels, train on made-up ones.

The bundle is one immutable folder with all that scoring needs. The certificate says how often automatic matches may be
wrong; without enough evidence for it nothing is matched automatically. Rows that break a rule go to
<bundle>.<input>.quarantine.csv, with the rule and what to do.

  matching fit --reference reference.csv --records records.csv --labels labels.csv --bundle bundles/first
  matching fit --reference reference.csv --bundle bundles/unlabelled      all goes to review: it has no certificate
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from matching_assets.commands.options import TABLE, add_reference, new_folder, share
from matching_assets.commands.tables import quarantine_path, read_guarded
from matching_assets.progress import stages

if TYPE_CHECKING:
    import polars as pl


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_reference(parser)
    parser.add_argument("--records", metavar="F", help=f"record_id, name, ...: {TABLE}")
    parser.add_argument("--labels", metavar="F", help="record_id, reference_id (empty: no match)")
    parser.add_argument("--bundle", metavar="DIR", type=new_folder, required=True, help="where the bundle goes")
    parser.add_argument(
        "--target-precision", metavar="P", type=share, default=0.99, help="of automatic matches (default .99)"
    )
    parser.add_argument("--confidence", metavar="C", type=share, default=0.95, help="of the certificate (default .95)")
    parser.add_argument(
        "--most-false-accepts", metavar="P", type=share, default=0.04,
        help="share of the records without a match that may be matched (default .04)",
    )  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=int, default=7, help="same seed and inputs, same bytes (default 7)")


def read_reference(given: argparse.Namespace, output: Path) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The accepted references and aliases of the options `add_reference`; what is quarantined goes beside `output`."""
    from matching.guardrails import guard_aliases, guard_reference

    beside = str(output)
    reference = read_guarded(given.reference, "reference", guard_reference, quarantine_path(beside, "reference"))
    if not given.aliases:
        return reference, None
    aliases = read_guarded(
        given.aliases,
        "aliases",
        lambda frame, file: guard_aliases(frame, reference["reference_id"], file),
        quarantine_path(beside, "aliases"),
    )
    return reference, aliases


def run(given: argparse.Namespace) -> int:
    """Fit and say what the certificate says."""
    from matching.fit_config import FitConfig
    from matching.invented import fit_without_labels
    from matching.ranker import RankerConfig
    from matching.records import InputError
    from matching.retrieval.encoder import EncoderConfig
    from matching.training import fit
    from matching_assets.wording import told_certificate, told_metrics

    if bool(given.records) != bool(given.labels):
        raise InputError("records and labels go together", remedy="Give both, or neither to train on made-up records.")
    reference, aliases = read_reference(given, given.bundle)
    config = FitConfig(
        target_precision=given.target_precision,
        confidence=given.confidence,
        most_false_accepts=given.most_false_accepts,
        seed=given.seed,
        encoder=EncoderConfig(seed=given.seed),
        ranker=RankerConfig(seed=given.seed),
    )
    with stages("fitting") as progress:
        if given.records:
            records, labels = _read_labelled(given, reference)
            manifest = fit(reference, records, labels, aliases, config=config, bundle=given.bundle, progress=progress)
        else:
            manifest = fit_without_labels(reference, aliases, config, bundle=given.bundle, progress=progress)
    print(f"bundle {manifest.version}: {given.bundle}")
    print(f"On {manifest.facts['measured_on']}: {told_metrics(manifest.facts['metrics'])}")
    print(told_certificate(manifest.facts["certificate"]["statement"]))
    return 0


def _read_labelled(given: argparse.Namespace, reference: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The accepted records and labels; what is quarantined goes beside the bundle."""
    from matching.guardrails import guard_labels, guard_records

    beside = str(given.bundle)
    records = read_guarded(given.records, "records", guard_records, quarantine_path(beside, "records"))
    labels = read_guarded(
        given.labels,
        "labels",
        lambda frame, file: guard_labels(frame, records["record_id"], reference["reference_id"], file),
        quarantine_path(beside, "labels"),
    )
    return records, labels
