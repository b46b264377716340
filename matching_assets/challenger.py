"""The version in the making: its parts lie in the folders of several assets; here they are joined, measured and packed.

What is measured is what will be packed: the scorer of `assemble` decides as the bundle of `pack` does. Measured on
entities that nothing was learnt from, beside the plainest matcher there is and the champion, all on the same records.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from matching.baseline import tfidf_baseline
from matching.bundle import BundleError, Manifest, Parts, write_bundle
from matching.calibration import Calibration
from matching.drift import calibrate
from matching.evaluation import evaluate, slice_columns
from matching.fit_config import HELD_OUT, FitConfig, assign_use
from matching.golden import check_golden, golden_set
from matching.judging import judge
from matching.paired import compare_pairs
from matching.plots import markdown_image, reliability_svg, risk_coverage_svg
from matching.policy import Policy, on_reference
from matching.ranker import Ranker
from matching.retrieval.encoder import Encoder
from matching.retrieval.index import RetrievalIndex
from matching.scoring import Scorer
from matching_assets.folders import facts_in, table_in
from matching_assets.partitions import labelled
from matching_assets.usual import usual_records

DRIFT_WINDOW = 100
"""The fewest decisions that drift is judged on; with fewer in a day, the window takes in the days before."""


@dataclass(frozen=True)
class Sources:
    """The folders of the assets that a version is made of."""

    index: Path
    encoder: Path
    ranker: Path
    policy: Path


@dataclass(frozen=True)
class Measured:
    """What was found on held-out entities.

    `tables`: their decisions, the telemetry of ordinary records, and the golden set.
    """

    facts: dict[str, Any]
    tables: dict[str, pl.DataFrame]

    def numbers(self) -> dict[str, float | None]:
        """What on-call asks for first."""
        metrics, champion = self.facts["metrics"], self.facts["champion"] or {}
        paired = (self.facts["paired"] or {}).get("top1", {})
        return {
            "held_out_records": metrics["records"],
            "top1": metrics["recall@1"],
            "top1_of_tfidf": self.facts["baseline"]["top1"],
            "top1_of_champion": champion.get("recall@1"),
            "entities_gained": paired.get("gained"),
            "entities_lost": paired.get("lost"),
            "paired_p_value": paired.get("p_value"),
            "candidate_recall": metrics["recall@50"],
            "precision": metrics["precision"],
            "precision_lower_bound": metrics["precision_ci95"][0] if metrics["precision"] is not None else None,
            "coverage": metrics["coverage"],
            "calibration_error": metrics["ece"],
        }

    def pictures(self, target_precision: float) -> dict[str, str]:
        """Whether probabilities are honest, and what matching more would cost, as Markdown images."""
        metrics = self.facts["metrics"]
        decided = None if metrics["precision"] is None else (metrics["coverage"], metrics["precision"])
        risk = risk_coverage_svg(metrics["risk_coverage"], target_precision, decided)
        return {
            "reliability": markdown_image(reliability_svg(metrics["reliability"]), "reliability"),
            "risk_coverage": markdown_image(risk, "risk and coverage"),
        }


def assemble(sources: Sources) -> Scorer:
    """The scorer that these folders make."""
    known = facts_in(sources.policy)
    index = RetrievalIndex.load(sources.index, Encoder.load(sources.encoder))
    earned_on = table_in(sources.policy, "earned_on")["reference_id"]
    policy, _ = on_reference(Policy.from_json(known["policy"]), earned_on, index.reference_number)
    ranker, calibration = Ranker.load(sources.ranker), Calibration.from_json(known["calibration"])
    return Scorer(index, ranker, calibration, policy, "unreleased")


def measure(
    challenger: Scorer, arrived: pl.LazyFrame, labels: pl.DataFrame, config: FitConfig, champion: Path | None
) -> Measured:
    """Measure a version on the held-out entities of labelled records, next to TF-IDF and the champion's bundle.

    arrived: all clean records with their day.
    """
    records = labelled(arrived, labels)
    asked = assign_use(labels, config).filter(pl.col("use") == HELD_OUT).drop("use")
    held_out = records.join(asked.select("record_id"), on="record_id", how="semi", maintain_order="left")
    scored = challenger.score(held_out, config.top_k)
    usual = _usual_telemetry(challenger, usual_records(arrived.collect(), labels, config))
    facts = {
        "metrics": evaluate(scored.decisions, asked, scored.candidates, slice_columns(held_out)),
        "baseline": tfidf_baseline(challenger.index.master, held_out, asked),
        "drift_bounds": calibrate(usual.drop("entity"), DRIFT_WINDOW, config.seed, usual["entity"]),
        "champion": None,
        "champion_unreadable": None,
        "paired": None,
        "golden_changed": [],
        "golden_wrong": [],
    }
    before, facts["champion_unreadable"] = _load(champion)
    if champion is not None and before is not None:
        then = before.score(held_out, config.top_k, reasons=False)
        facts["champion"] = evaluate(then.decisions, asked, then.candidates)
        facts["paired"] = compare_pairs(scored.decisions, then.decisions, asked)
        facts |= _ask_golden(challenger, pl.read_parquet(champion / "golden.parquet"), labels)
    golden = _choose_golden(challenger, records, labels, config)
    return Measured(facts, {"decisions": scored.decisions, "telemetry": usual.drop("entity"), "golden": golden})


def _usual_telemetry(scorer: Scorer, records: pl.DataFrame) -> pl.DataFrame:
    """The telemetry of records as they come, with their `entity`; of one that is there twice, twice."""
    once = records.unique("record_id", keep="first", maintain_order=True).drop("entity")
    told = scorer.score(once, reasons=False).telemetry
    return records.select("record_id", "entity").join(told, on="record_id", how="left", maintain_order="left")


def _load(champion: Path | None) -> tuple[Scorer | None, str | None]:
    """The champion, or why this code cannot read it: an earlier version may have written it in another format."""
    if champion is None:
        return None, None
    try:
        return Scorer.load(champion), None
    except BundleError as problem:
        return None, str(problem)


def pack(sources: Sources, evaluation: Path, facts: dict[str, Any], folder: Path) -> Manifest:
    """Write the bundle of these folders, with what was measured.

    The same folders and facts give the same bytes.
    """
    scorer, measured = assemble(sources), facts_in(evaluation)
    parts = Parts(
        index=scorer.index,
        encoder=Encoder.load(sources.encoder),
        ranker=scorer.ranker,
        calibration=scorer.calibration,
        policy=scorer.policy,
        golden=table_in(evaluation, "golden"),
        telemetry=table_in(evaluation, "telemetry"),
    )
    known = {
        "certificate": asdict(scorer.policy.certificate),
        "measured_on": "held-out entities",
        "references": scorer.index.master.height,
        **{name: measured[name] for name in ("metrics", "baseline", "drift_bounds")},
    }
    return write_bundle(parts, {**facts, **known}, folder)


def _choose_golden(scorer: Scorer, records: pl.DataFrame, labels: pl.DataFrame, config: FitConfig) -> pl.DataFrame:
    """Golden decisions with the records they were made of, so that a later version can be asked again."""
    decided = scorer.score(records, config.top_k, reasons=False).decisions
    golden = golden_set(decided, labels, config.golden_size, config.seed)
    asked = records.drop(c for c in golden.columns if c in records.columns and c != "record_id")
    return golden.join(asked, on="record_id", maintain_order="left")


def _ask_golden(scorer: Scorer, golden: pl.DataFrame, labels: pl.DataFrame) -> dict[str, list[str]]:
    """Which golden decisions come out otherwise, and which of those are wrong: matched to another than the label's."""
    decisions = scorer.score(golden.drop("reference_id", "decision"), reasons=False).decisions
    judged = judge(decisions, labels).filter((pl.col("decision") == "match") & ~pl.col("named_right"))
    return {
        "golden_changed": check_golden(golden.select("record_id", "reference_id", "decision"), decisions),
        "golden_wrong": judged["record_id"].to_list(),
    }
