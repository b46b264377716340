"""The page is built from what the parts kept, whichever of them ran."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.page import write_page
from benchmarks.store import keep, kept

METRICS = {
    "records": 900, "no_match_records": 100, "precision": 0.9931, "precision_ci95": [0.98, 0.999], "coverage": 0.71,
    "false_accept_share": 0.01, "recall@1": 0.9, "recall@10": 0.95, "recall@50": 0.96, "best_f1": 0.94, "ece": 0.004,
    "oracle_coverage": 0.72, "risk_coverage": [[0.1, 1.0], [0.7, 0.993], [1.0, 0.8]],
    "slices": {"source": {"feed a": {"records": 500, "recall@1": 0.95}, "feed b": {"records": 400, "recall@1": 0.8}}},
}  # fmt: skip
COSTS = {
    "prepare_seconds": 1.5, "records_per_second": 5_000.0, "p50_ms": 0.8, "p99_ms": 1.9, "peak_bytes": 5e8,
    "records": 900,
}  # fmt: skip
RUN = {"seconds": 12.3, "peak_bytes": 1e9}
ACCURACY = {
    "references": 4_000, "records": 900, "runs": {"fit": RUN}, "metrics": METRICS, "certificate": "Certified so.",
    "reindexed": "No certificate.",
    "without_labels": {"recall@1": 0.8, "recall@50": 0.9, "best_f1": 0.85, "coverage": 0.0},
    "accounts": {"names": {"asked": 50, "top1": 0.9, "coverage": 0.8, "precision": 0.9954}},
}  # fmt: skip
PEERS = {
    "tfidf": METRICS | COSTS | {"note": "3-grams", "version": "sparse-dot-topn 1.2.0", "certified": {"coverage": 0.2}},
    "emm": {"skipped": "not installed: no such package"},
    "matching": METRICS | COSTS | {"note": "this", "version": ""},
}
OURS = COSTS | {
    "records_per_second_without_reasons": 6_000.0, "reasons_us": 21.0, "reindex_seconds": 9.0,
    "update_seconds": 3.0, "start_seconds": 2.1, "top1": 0.9,
    "index": {"index_seconds": 3.0, "master_seconds": 2.0, "index_bytes": 1e8, "peak_bytes": 4e8},
}  # fmt: skip
SCALE = {
    "40000": {"matching": OURS, "tfidf": COSTS | {"top1": 0.8, "records_per_second": 2_500.0}},
    "100000": {"matching": OURS, "tfidf": COSTS | {"top1": 0.8}, "emm": {"skipped": "not installed: no wheel"}},
}
DRAWS = {
    "draws": 200, "granted": 1.0, "coverage": 0.7, "precision": 0.993, "false_accepts": 0.01, "holds_records": 0.985,
    "holds_entities": 0.97, "holds_false_accepts": 1.0, "precisions": [0.989, 0.992, 0.995],
}  # fmt: skip
CERTIFICATE = {"entities": 900, "records": 2_000, "target": 0.99, "confidence": 0.95, "claim": DRAWS, "split": DRAWS}
FOLD = METRICS | {"certified_on": {"accepted": 1_000, "errors": 7}}
EVERYTHING: dict[str, dict[str, Any]] = {
    "accuracy": {"issuer": ACCURACY}, "crossval": {"issuer": {"folds": [FOLD, FOLD], "all": METRICS}},
    "peers": {"issuer": PEERS}, "scale": SCALE, "certificate": {"issuer": CERTIFICATE}
}  # fmt: skip


def page_of(parts: dict[str, dict[str, Any]], folder: Path) -> str:
    for part, found in parts.items():
        keep(folder, part, found)
    write_page(kept(folder), folder / "BENCHMARKS.md")
    return (folder / "BENCHMARKS.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of all parts, and what they kept."""
    folder = tmp_path_factory.mktemp("page")
    page_of(EVERYTHING, folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "BENCHMARKS.md").read_text()


def test_every_part_has_its_section(page: str):
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Accuracy on held-out entities",
        "## Cross-validation over entities",
        "## Against its peers",
        "## Speed and memory at scale",
        "## Does the certificate hold?",
    ]


@pytest.mark.parametrize("part", list(EVERYTHING))
def test_a_part_can_stand_alone(part: str, tmp_path: Path):
    page = page_of({part: EVERYTHING[part]}, tmp_path)
    assert page.count("\n## ") == 1


def test_the_page_names_the_machine(page: str):
    assert " cores (" in page.split("## ", maxsplit=1)[0]


def test_every_row_has_as_many_cells_as_its_head(page: str):
    lines = page.splitlines()
    blocks = [i for i, line in enumerate(lines) if line.startswith("| ---")]
    assert len(blocks) == 10
    for start in blocks:
        rows = lines[start - 1 : lines.index("", start)]
        assert len({line.count("|") for line in rows}) == 1


def test_a_peer_that_was_skipped_is_named_with_the_reason(page: str):
    assert "- emm: skipped, not installed: no such package" in page
    assert "- 100,000 references, emm: skipped, not installed: no wheel" in page


def test_this_project_comes_first_and_a_ratio_is_told_for_each_peer(page: str):
    assert page.index("| matching | 900") < page.index("| tfidf | 900")
    assert "| 40,000 | tfidf | 900 | 2,500 | 2.0 |" in page


def test_slices_are_worst_first(page: str):
    assert page.index("source: feed b") < page.index("source: feed a")


def test_plots_are_there_and_the_same_figures_give_the_same_bytes(page: str, folder: Path, tmp_path: Path):
    write_page(kept(folder), tmp_path / "BENCHMARKS.md")
    plots = sorted((folder / "benchmarks").iterdir())
    assert [plot.name for plot in plots] == ["certificate.svg", "issuer.svg", "latency.svg", "throughput.svg"]
    for plot in plots:
        ET.fromstring(plot.read_text())
        assert f"(benchmarks/{plot.name})" in page
        assert plot.read_bytes() == (tmp_path / "benchmarks" / plot.name).read_bytes()
