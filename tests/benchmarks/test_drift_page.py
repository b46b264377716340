"""The figures of the monitors stand in their page, between its marks."""

from pathlib import Path

import pytest

from benchmarks.drift_page import BEGIN, END, figures, write_figures

NAMES = ("drift", "predictions", "integrity", "concept", "performance", "any")
STYLE = {
    "records": 200,
    "alarms": {"drift": 1.0, "predictions": 0.5},
    "named": {"drift": ["f_same_name"], "predictions": ["decision"]},
    "effect": {"drift": 1.25, "predictions": 0.3},
    "matched": 0.4,
    "precision": None,
    "estimated": 0.98,
}
FOUND = {
    "sequences": {
        "draws": 500, "audits": 100, "missed": {"0.99": {"below": 0.004, "above": 0.01}}, "seen": {"0.9": [40, 99]}
    },
    "tasks": {
        "issuers": {
            "quiet": {"500": {"windows": 20, **dict.fromkeys(NAMES, 0.005)}},
            "shifts": {"500": {"trials": 10, "first": 0.9, "within_two": 1.0}},
            "served": {"learnt": "one style", "served": {"another": STYLE}},
            "estimates": {
                "counted": 0.99,
                "estimated": 0.995,
                "bias": 0.005,
                "error": 0.006,
                "counted_alone": 0.02,
                "concept": {"counted": 0.94, "estimated": 0.995, "seen": 1.0},
            },
        }
    },
}  # fmt: skip


def test_every_measurement_has_its_line():
    told = figures(FOUND)
    for line in (
        "| issuers | 500 | 20 | 0.50% | 0.50% | 0.50% | 0.50% | 0.50% | 0.50% |",
        "| issuers | 500 | 10 | 90.0% | 100.0% |",
        "| one style | another | 100% | 50% | `f_same_name` (1.25) | 40.00% |  | 98.00% |",
        "| 0.99 | 0.40% | 1.00% |",
        "| 0.9 | 40 | 99 |",
        "| issuers | +0.50% | 99.00% | 99.50% | 0.60% | 2.00% | 94.00% | 99.50% | 100.00% |",
    ):
        assert line in told.splitlines()


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_figures(FOUND, page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("text")
    with pytest.raises(ValueError, match="no marks"):
        write_figures(FOUND, page)


def test_the_page_of_the_project_has_figures():
    page = (Path(__file__).parents[2] / "docs" / "MONITORING.md").read_text()
    assert "Quiet windows that alarm" in page.split(BEGIN)[1].split(END)[0]
