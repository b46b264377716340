"""The steps of training as a program sees them: each reads a folder of tables and writes a folder with what it made.

| step | reads | makes |
|---|---|---|
| `prepare` | reference, records, labels, aliases, as delivered | the accepted rows of each, and `quarantine/` |
| `bundle` | reference; records and labels; aliases | a bundle; without labels one that certifies nothing |
| `evaluate` | `bundle`, a folder; records, labels | `evaluation.json`: how it does on held-out entities |
| `encoder` | reference_master, records, labels; `start`, the folder of an encoder | what the asset `encoder` keeps |
| `ranker` | the same, and pair_features | what the asset `ranker` keeps |

A table is the folder of its name: every .csv and .parquet file in it, one below the other, in the order of names.
Each step is a function `(inputs, config, output, tell)`: `output` exists and is empty, `tell(stage, share)` says how
far it is. It returns the numbers that a person would ask for. Raises InputError, as `matching.training` does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from matching.files import folder_digest, write_json
from matching.fit_config import HELD_OUT, FitConfig, assign_use
from matching.ranker import RankerConfig
from matching.records import InputError, read_table, write_table
from matching.retrieval.encoder import Encoder, EncoderConfig
from matching.training import Progress, encoder_pairs, fit, fit_ranker, train_encoder

START = "start"
"""The input of `encoder` that another encoder lies in."""
Metrics = dict[str, float]
Step = Callable[[Path, FitConfig, Path, Progress], Metrics]
MEASURED = {"top1": "recall@1", "candidate_recall": "recall@50", "coverage": "coverage", "calibration_error": "ece"}
"""What is reported of an evaluation, and its name in `matching.evaluation`."""


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Lay tables out as steps read them."""
    for name, table in tables.items():
        write_table(table, folder / name / "table.parquet")


def read_input(inputs: Path, name: str) -> pl.DataFrame:
    """The table `name`. InputError: it is not there, or its files have other columns than each other."""
    table = _optional(inputs, name)
    if table is None:
        raise InputError(f"the input {name} is missing", file=str(inputs / name), remedy="Deliver .csv or .parquet.")
    return table


def _optional(inputs: Path, name: str) -> pl.DataFrame | None:
    files = sorted(p for p in (inputs / name).glob("*") if p.suffix in (".csv", ".parquet"))
    if not files:
        return None
    try:
        return pl.concat([read_table(path) for path in files])
    except pl.exceptions.PolarsError as problem:
        remedy = "Give all files of one input the same columns."
        raise InputError(f"files differ: {problem}", file=str(inputs / name), remedy=remedy) from problem


def prepare(inputs: Path, _: FitConfig, output: Path, tell: Progress) -> Metrics:
    """Guard what was delivered: what is accepted goes on, what is not is kept beside it with the rule it broke."""
    from matching.guardrails import Guarded, guard_aliases, guard_labels, guard_records, guard_reference

    metrics: Metrics = {}

    def keep(name: str, guarded: Guarded) -> pl.DataFrame:
        write_tables({name: guarded.accepted}, output)
        write_table(guarded.quarantined, output / "quarantine" / f"{name}.parquet")
        metrics.update({f"{name}_accepted": guarded.accepted.height, f"{name}_quarantined": guarded.quarantined.height})
        return guarded.accepted

    tell("reference", 0.0)
    reference = keep("reference", guard_reference(read_input(inputs, "reference")))
    if (aliases := _optional(inputs, "aliases")) is not None:
        keep("aliases", guard_aliases(aliases, reference["reference_id"]))
    tell("records", 0.0)
    records = keep("records", guard_records(read_input(inputs, "records")))
    labels = guard_labels(read_input(inputs, "labels"), records["record_id"], reference["reference_id"])
    keep("labels", labels)
    for name in ("reference", "records", "labels"):
        if not metrics[f"{name}_accepted"]:
            raise InputError("no row can be used", file=name, remedy="Each row's reason is in the quarantine.")
    return metrics


def make_bundle(inputs: Path, config: FitConfig, output: Path, tell: Progress) -> Metrics:
    """Everything from reference and labels to a bundle: what `matching fit` does."""
    from matching.invented import fit_without_labels

    reference, aliases = read_input(inputs, "reference"), _optional(inputs, "aliases")
    aliases = None if aliases is None or aliases.is_empty() else aliases
    if (records := _optional(inputs, "records")) is None:
        manifest = fit_without_labels(reference, aliases, config, bundle=output, progress=tell)
    else:
        labels = read_input(inputs, "labels")
        manifest = fit(reference, records, labels, aliases, config, bundle=output, progress=tell)
    return _measured(manifest.facts["metrics"], manifest.facts["certificate"])


def evaluate_bundle(inputs: Path, _: FitConfig, output: Path, tell: Progress) -> Metrics:
    """Ask a bundle, as it will be shipped, about the entities that its training held out.

    `evaluation.json`: `metrics` as `matching.evaluation` gives them, and under `gate` numbers only, for a condition to
    be put on: where nothing could be measured, the worst value there is.
    """
    from matching.evaluation import evaluate, slice_columns
    from matching.golden import check_golden
    from matching.master import with_surviving_ids
    from matching.scoring import Scorer

    tell("bundle", 0.0)
    scorer = Scorer.load(inputs / "bundle")
    facts = scorer.manifest.facts
    labels = with_surviving_ids(read_input(inputs, "labels"), scorer.index.master)
    trained = config_from(facts["config"])
    asked = assign_use(labels, trained).filter(pl.col("use") == HELD_OUT).drop("use")
    if asked.is_empty():
        remedy = "Train with holdout_share above 0."
        raise InputError("the bundle has held no entity out, so nothing can be measured", file="bundle", remedy=remedy)
    records = read_input(inputs, "records").join(asked.select("record_id"), on="record_id", how="semi")
    tell("scoring", 0.0)
    scored = scorer.score(records, trained.top_k, reasons=False)
    golden = pl.read_parquet(inputs / "bundle" / "golden.parquet")
    again = scorer.score(golden.drop("reference_id", "decision"), reasons=False).decisions
    changed = check_golden(golden.select("record_id", "reference_id", "decision"), again)
    metrics = evaluate(scored.decisions, asked, scored.candidates, slice_columns(records))
    gate = _measured(metrics, facts["certificate"]) | {"golden_changed": float(len(changed))}
    write_json(
        output / "evaluation.json", {"metrics": metrics, "gate": gate, "bundle_version": scorer.manifest.version}
    )
    return gate


def _measured(metrics: dict[str, Any], certificate: dict[str, Any]) -> Metrics:
    """The figures of an evaluation as numbers; one that could not be measured is the worst there is."""
    numbers = {name: metrics[key] for name, key in MEASURED.items()}
    numbers["precision_lower_bound"] = metrics["precision_ci95"][0] if metrics["precision"] is not None else None
    worst = {"calibration_error": 1.0}
    measured = {name: worst.get(name, 0.0) if value is None else float(value) for name, value in numbers.items()}
    return measured | {"certificate_granted": float(certificate["granted"])}


def make_encoder(inputs: Path, config: FitConfig, output: Path, tell: Progress) -> Metrics:
    """Train the encoder, from the weights of another if there are some; `start.json` says of which."""
    master, records, labels = (read_input(inputs, name) for name in ("reference_master", "records", "labels"))
    before = inputs / START
    start = Encoder.load(before) if before.is_dir() else None
    trained = train_encoder(master, records, labels, config, lambda share: tell("encoder", share), start)
    trained.save(output)
    write_json(output / f"{START}.json", {"encoder": folder_digest(before) if start else None})
    return {"training_names": master.height, "training_pairs": len(encoder_pairs(master, records, labels, config))}


def make_ranker(inputs: Path, config: FitConfig, output: Path, tell: Progress) -> Metrics:
    """Train the ranker, and rankers of other folds for margins that nobody has seen the answers to."""
    pairs, records, labels = (read_input(inputs, name) for name in ("pair_features", "records", "labels"))
    master = read_input(inputs, "reference_master")
    ranker, out_of_fold = fit_ranker(pairs, records, labels, master, config, lambda share: tell("ranker", share))
    ranker.save(output)
    out_of_fold.write_parquet(output / "out_of_fold.parquet")
    return {"trees": ranker.config.trees, "pairs": out_of_fold.height}


STEPS: Mapping[str, Step] = {
    "prepare": prepare,
    "bundle": make_bundle,
    "evaluate": evaluate_bundle,
    "encoder": make_encoder,
    "ranker": make_ranker,
}


def settings_of(config: FitConfig) -> dict[str, str]:
    """A configuration as SageMaker's hyperparameters: text by dotted name, for instance `encoder.steps`."""
    flat: dict[str, Any] = {}
    for name, value in asdict(config).items():
        flat |= {f"{name}.{key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
    return {name: json.dumps(value) for name, value in flat.items()}


def config_of(settings: Mapping[str, str]) -> FitConfig:
    """The configuration that hyperparameters describe; what they do not name is as in FitConfig.

    Raises InputError when a name is unknown or a value is not of its kind.
    """
    values = asdict(FitConfig())
    for name, text in settings.items():
        group, _, key = name.rpartition(".")
        within = values.get(group) if group else values
        if not isinstance(within, dict) or key not in within or isinstance(within[key], dict):
            known = ", ".join(settings_of(FitConfig()))
            raise InputError("no such setting", file="hyperparameters", column=name, remedy=f"There are {known}.")
        within[key] = _read(text, type(within[key]), name)
    return config_from(values)


def config_from(values: Mapping[str, Any]) -> FitConfig:
    """The configuration of which `values` is the `asdict`, for instance a manifest's."""
    inner = {"encoder": EncoderConfig(**values["encoder"]), "ranker": RankerConfig(**values["ranker"])}
    return FitConfig(**{**values, **inner})


def _read(text: str, kind: type, name: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, TypeError):
        value = None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise InputError(f"{text} is no {kind.__name__}", file="hyperparameters", column=name)
    return value
