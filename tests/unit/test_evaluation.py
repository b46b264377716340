"""Figures of an evaluation, on a case worked out by hand and against the independent judge where that is at hand."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from matching.evaluation import MOST_SLICES, evaluate, slice_columns
from matching.records import InputError

JUDGE = Path(__file__).parents[3] / "shared" / "bench" / "evaluate.py"
LABELS: dict[str, tuple[str | None, list[str]]] = {
    "a": ("R1", []), "b": ("R2", ["R9"]), "c": ("R3", []), "d": ("R4", []), "x": (None, []), "y": (None, []),
}  # fmt: skip
# a right at .9; b right by its namesake at .8; x, without a match, as probable; c right at rank 2; d has no candidate
CANDIDATES = [
    ("a", "R1", 1, 0.9), ("a", "R2", 2, 0.1), ("b", "R9", 1, 0.8), ("x", "R5", 1, 0.8), ("c", "R6", 1, 0.5),
    ("c", "R3", 2, 0.4), ("y", "R7", 1, 0.1),
]  # fmt: skip
DECISIONS = [
    ("a", "R1", 0.9, "match"), ("b", "R9", 0.9, "match"), ("c", None, 0.5, "review"), ("d", None, 0.1, "no_match"),
    ("x", "R5", 0.9, "match"), ("y", None, 0.1, "no_match"),
]  # fmt: skip


def labels(rows: dict[str, tuple[str | None, list[str]]] = LABELS) -> pl.DataFrame:
    columns = {
        "record_id": list(rows),
        "reference_id": [v[0] for v in rows.values()],
        "same_name_alternatives": [v[1] for v in rows.values()],
    }
    return pl.DataFrame(columns, schema_overrides={"same_name_alternatives": pl.List(pl.String)})


def candidates() -> pl.DataFrame:
    return pl.DataFrame(CANDIDATES, schema=["record_id", "reference_id", "rank", "score"], orient="row")


def decisions(rows: list[tuple[str, str | None, float, str]] = DECISIONS) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["record_id", "reference_id", "probability", "decision"], orient="row")


@pytest.fixture
def figures() -> dict[str, Any]:
    return evaluate(decisions(), labels(), candidates())


def test_recall_counts_over_the_records_that_have_a_match(figures: dict[str, Any]) -> None:
    assert (figures["recall@1"], figures["recall@10"], figures["recall@50"]) == (2 / 4, 3 / 4, 3 / 4)


def test_best_f1_accepts_equal_scores_together(figures: dict[str, Any]) -> None:
    # at .9: 1 of 1; at .8: 2 of 3; at .5: 2 of 4; at .1: 2 of 5. F1: .4, 4/7, .5, 4/9
    assert figures["best_f1"] == pytest.approx(4 / 7)
    assert figures["best_f1_precision"] == pytest.approx(2 / 3)


def test_a_namesake_counts_as_right(figures: dict[str, Any]) -> None:
    assert figures["bands"]["match"]["right"] == 2  # a, and b by R9


def test_a_namesake_never_saves_a_record_that_has_no_match() -> None:
    altered = labels(LABELS | {"x": (None, ["R5"])})
    assert evaluate(decisions(), altered, candidates())["bands"]["match"]["right"] == 2


def test_a_match_of_a_record_without_one_is_a_false_accept(figures: dict[str, Any]) -> None:
    assert (figures["false_accepts"], figures["false_accept_share"]) == (1, 0.5)
    assert figures["precision"] == pytest.approx(2 / 3)


def test_coverage_is_the_share_of_all_records(figures: dict[str, Any]) -> None:
    assert figures["coverage"] == 0.5


def test_a_refused_record_is_right_only_if_it_has_no_match(figures: dict[str, Any]) -> None:
    assert (figures["bands"]["no_match"]["right"], figures["bands"]["no_match"]["errors"]) == (1, 1)
    assert figures["refused_share"] == 0.25


def test_each_band_has_its_exact_interval(figures: dict[str, Any]) -> None:
    low, high = figures["bands"]["match"]["precision_ci95"]
    assert (low, high) == pytest.approx((0.0943, 0.9916), abs=5e-5)  # 2 of 3


def test_bands_hold_every_record(figures: dict[str, Any]) -> None:
    assert sum(band["records"] for band in figures["bands"].values()) == figures["records"] == 6


def test_calibration_judges_the_best_candidate_where_none_is_named(figures: dict[str, Any]) -> None:
    assert figures["ece"] == pytest.approx(3 / 6 * abs(0.9 - 2 / 3) + 1 / 6 * 0.5 + 2 / 6 * 0.1)
    assert figures["brier"] == pytest.approx((0.01 + 0.01 + 0.81 + 0.25 + 0.01 + 0.01) / 6)


def test_without_candidates_the_named_reference_is_the_only_one() -> None:
    assert evaluate(decisions(), labels())["recall@10"] == 2 / 4


def test_alternatives_may_be_json_text_as_in_csv() -> None:
    text = labels().with_columns(same_name_alternatives=pl.Series(["[]", '["R9"]', None, "[]", None, "[]"]))
    assert evaluate(decisions(), text, candidates()) == evaluate(decisions(), labels(), candidates())


def test_curves_have_a_point_for_each_level(figures: dict[str, Any]) -> None:
    assert figures["risk_coverage"] == [[1 / 6, 1.0], [3 / 6, 2 / 3], [4 / 6, 0.5], [5 / 6, 2 / 5]]
    assert sum(n for _, _, n in figures["reliability"]) == 6


def test_it_can_be_written_as_json(figures: dict[str, Any]) -> None:
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_records_without_a_label_and_labels_without_a_decision_are_counted() -> None:
    result = evaluate(decisions(DECISIONS[1:]), labels({k: v for k, v in LABELS.items() if k != "y"}))
    assert (result["records"], result["unlabelled_records"], result["labels_without_decision"]) == (4, 1, 1)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(InputError, match="no decision has a label"):
        evaluate(decisions(), labels({"z": ("R1", [])}))


@pytest.mark.parametrize("file", ["decisions", "labels"])
def test_a_record_that_occurs_twice_is_an_error_that_names_the_file(file: str) -> None:
    twice = {"decisions": decisions(), "labels": labels()}
    twice[file] = pl.concat([twice[file], twice[file].head(1)])
    with pytest.raises(InputError, match=f"file {file}, column record_id, row 1: a record occurs twice"):
        evaluate(twice["decisions"], twice["labels"])


# Slices


def test_records_with_and_without_a_match_are_slices(figures: dict[str, Any]) -> None:
    assert figures["slices"]["has_match"]["no"]["records"] == 2
    assert figures["slices"]["has_match"]["yes"]["precision"] == 1.0


def test_names_are_sliced_by_length_and_never_shown() -> None:
    names = ["Acme", "Acme Corporation", "x" * 31, "x" * 30, "y", "z"]
    result = evaluate(decisions(), labels(), slices=pl.DataFrame({"record_id": list(LABELS), "name": names}))
    lengths = {value: part["records"] for value, part in result["slices"]["name_length"].items()}
    assert lengths == {
        "up to 10 characters": 3,
        "up to 20 characters": 1,
        "up to 30 characters": 1,
        "over 30 characters": 1,
    }
    assert "Acme" not in json.dumps(result)


def test_source_and_line_type_are_sliced_by_where_records_have_them() -> None:
    records = pl.DataFrame({"record_id": ["a"], "name": ["n"], "source": ["s"], "city": ["c"]})
    assert slice_columns(records).columns == ["record_id", "name", "source"]


def test_a_missing_value_is_a_slice() -> None:
    given = pl.DataFrame({"record_id": ["a", "b"], "source": ["s", None]})
    assert evaluate(decisions(), labels(), slices=given)["slices"]["source"]["(none)"]["records"] == 5


def test_rare_values_are_judged_as_one_slice() -> None:
    n = MOST_SLICES + 5
    ids = [f"r{i}" for i in range(n)]
    many = decisions([(i, None, 0.5, "review") for i in ids])
    result = evaluate(
        many, labels({i: (None, []) for i in ids}), slices=pl.DataFrame({"record_id": ids, "source": ids})
    )
    assert result["slices"]["source"]["(others)"]["records"] == 5


def test_the_worst_slice_has_enough_records_to_say_so() -> None:
    ids = [f"r{i:03}" for i in range(110)]
    right = [i < 45 or 50 <= i < 100 for i in range(110)]  # s0: 45 of 50; s1: all 50; s2: none of 10
    made = decisions([(i, "R1" if ok else "R2", 0.9, "match") for i, ok in zip(ids, right, strict=True)])
    sources = pl.DataFrame({"record_id": ids, "source": [f"s{i // 50}" for i in range(110)]})
    worst = evaluate(made, labels({i: ("R1", []) for i in ids}), slices=sources)["worst_slices"]["precision"]
    assert worst == {"column": "source", "value": "s0", "figure": 0.9, "records": 50}


# Intervals by entity


def clustered(records_each: int) -> dict[str, Any]:
    """400 records, 4 % wrong, all records of an entity alike."""
    ids = [f"r{i}" for i in range(400)]
    entity = [i // records_each for i in range(400)]
    wrong_entities = set(np.random.default_rng(0).permutation(max(entity) + 1)[: 16 // records_each])
    made = decisions(
        [(i, "R2" if e in wrong_entities else "R1", 0.9, "match") for i, e in zip(ids, entity, strict=True)]
    )
    known = labels({i: ("R1", []) for i in ids}).with_columns(entity_key=pl.Series([f"e{e}" for e in entity]))
    return evaluate(made, known)


def width(interval: list[float]) -> float:
    return interval[1] - interval[0]


def test_the_bootstrap_knows_that_errors_come_in_clusters_and_the_exact_interval_does_not() -> None:
    single, eight = clustered(1), clustered(8)
    assert single["precision"] == eight["precision"] == 0.96
    assert width(eight["intervals"]["precision"]) > 2 * width(single["intervals"]["precision"])
    assert eight["precision_ci95"] == single["precision_ci95"]


@pytest.mark.parametrize("name", ["precision", "coverage", "recall@1"])
def test_each_interval_holds_its_figure(name: str) -> None:
    result = evaluate(*random_run(seed=11))
    low, high = result["intervals"][name]
    assert low < result[name] < high


def test_the_same_decisions_give_the_same_figures() -> None:
    assert clustered(8) == clustered(8)


# The independent judge


@pytest.fixture(scope="module")
def judge() -> ModuleType:
    if not JUDGE.is_file():
        pytest.skip("the independent judge is not at hand: ../shared/bench/evaluate.py")
    spec = importlib.util.spec_from_file_location("independent_judge", JUDGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_run(seed: int, n: int = 400) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Decisions, labels and candidates with ties, namesakes, missing candidates, and rows that name no reference."""
    rng = np.random.default_rng(seed)
    gold: dict[str, tuple[str | None, list[str]]] = {}
    ranked, made = [], []
    for i in range(n):
        answer = None if rng.random() < 0.25 else f"R{rng.integers(50)}"
        gold[f"q{i}"] = (answer, [f"R{rng.integers(50)}"] if answer and rng.random() < 0.2 else [])
        chosen = [f"R{r}" for r in rng.permutation(50)[: rng.integers(0, 15)]]
        if answer and answer not in chosen and chosen and rng.random() < 0.7:
            chosen[int(rng.integers(min(2, len(chosen))))] = answer
        scores = np.sort(rng.integers(0, 40, len(chosen)))[::-1] / 40
        ranked += [(f"q{i}", r, k + 1, float(s)) for k, (r, s) in enumerate(zip(chosen, scores, strict=True))]
        named = chosen[0] if chosen and rng.random() < 0.9 else None
        probability = float(scores[0]) if chosen else 0.0
        band = "match" if named and probability > 0.7 else "review" if probability > 0.3 else "no_match"
        made.append((f"q{i}", named, probability, band))
    found = pl.DataFrame(ranked, schema=["record_id", "reference_id", "rank", "score"], orient="row")
    return decisions(made), labels(gold), found


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_the_independent_judge(judge: ModuleType, tmp_path: Path, seed: int) -> None:
    made, known, found = random_run(seed)
    sources = pl.Series("source", [f"s{i % 3}" for i in range(made.height)])
    records = made.select("record_id").with_columns(sources)
    pl.DataFrame({"reference_id": [f"R{i}" for i in range(50)]}).write_parquet(tmp_path / "reference.parquet")
    for name, frame in {"records": records, "labels": known, "candidates": found, "decisions": made}.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    theirs = judge.evaluate(tmp_path, tmp_path / "candidates.parquet", tmp_path / "decisions.parquet")
    ours = evaluate(made, known, found, slices=records)
    for mine, judged in (
        (ours, theirs),
        *((ours["slices"]["source"][s], theirs["by_source"][s]) for s in ("s0", "s1", "s2")),
    ):
        assert shared_of(mine) == pytest.approx(shared_of_the_judge(judged), abs=1e-9)
    for name in ("recall@1", "ece"):
        assert ours["worst_slices"][name]["value"] == theirs["worst_source"][name]["slice"]
        assert ours["worst_slices"][name]["figure"] == pytest.approx(theirs["worst_source"][name]["value"], abs=1e-9)


def shared_of(figures: dict[str, Any]) -> list[float]:
    names = ("recall@1", "recall@10", "recall@50", "best_f1", "best_f1_precision", "best_f1_recall")
    decided = ("precision", "coverage", "false_accept_share", "refused_share", "ece", "brier")
    share = figures["bands"]["review"]["share"]
    return [figures[n] for n in (*names, *decided)] + [share, *figures["precision_ci95"]]


def shared_of_the_judge(figures: dict[str, Any]) -> list[float]:
    names = ("recall@1", "recall@10", "recall@50", "best_f1", "best_f1_precision", "best_f1_recall")
    d = figures["decisions"]
    decided = ("precision", "coverage", "false_accept_on_null", "answerable_refused", "ece", "brier")
    return [figures[n] for n in names] + [d[n] for n in decided] + [d["review_share"], *d["precision_ci95"]]
