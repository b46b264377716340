"""A closed bundle decides as the one that it was made from, but matches nothing."""

from pathlib import Path

import polars as pl
import pytest

from matching.bundle import read_manifest, verify_bundle
from matching.closing import close_bundle
from matching.scoring import Scorer


@pytest.fixture(scope="module")
def closed(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("closed") / "bundle"
    close_bundle(small_bundle, folder)
    return folder


@pytest.fixture(scope="module")
def decided(small_scorer, closed: Path, small_frames) -> pl.DataFrame:
    """The same records by the open bundle and, with the suffix _closed, by the closed one."""
    before, after = (scorer.score(small_frames.records).decisions for scorer in (small_scorer, Scorer.load(closed)))
    return before.join(after, on="record_id", suffix="_closed")


def test_a_closed_bundle_matches_nothing_and_reviews_each_would_be_match_with_the_same_reference(decided) -> None:
    matched = decided.filter(pl.col("decision") == "match")
    assert matched.height > 50
    assert set(matched["decision_closed"]) == {"review"}
    assert (decided["decision_closed"] == "match").sum() == 0
    assert decided["reference_id"].equals(decided["reference_id_closed"], null_equal=True)
    assert decided["probability"].equals(decided["probability_closed"])


def test_what_is_no_match_or_in_review_stays_so(decided) -> None:
    others = decided.filter(pl.col("decision") != "match")
    assert others["decision"].equals(others["decision_closed"])


def test_the_reason_says_why_it_went_to_review_and_is_given_to_would_be_matches_only(decided) -> None:
    says = pl.col("reasons_closed").list.eval(pl.element().struct.field("code") == "MATCHING_CLOSED").list.any()
    assert decided.filter(says)["record_id"].equals(decided.filter(pl.col("decision") == "match")["record_id"])


def test_a_closed_bundle_is_whole_and_names_the_one_that_it_was_made_from(small_bundle: Path, closed: Path) -> None:
    parent, manifest = read_manifest(small_bundle), verify_bundle(closed)
    assert manifest.facts["parent"] == parent.version != manifest.version
    assert (parent.facts["certificate"]["granted"], manifest.facts["certificate"]["granted"]) == (True, False)
    changed = {name for name in parent.files if manifest.files[name] != parent.files[name]}
    assert changed <= {"policy.json", "reasons.yaml", "telemetry.parquet"}


def test_drift_is_measured_from_what_the_closed_bundle_decides(small_bundle: Path, closed: Path) -> None:
    usual, before = (pl.read_parquet(bundle / "telemetry.parquet") for bundle in (closed, small_bundle))
    assert (before["decision"] == "match").any()
    assert set(usual["decision"]) <= {"review", "no_match"}
    assert usual.drop("decision").equals(before.drop("decision"))


def test_the_same_bundle_closed_again_gives_the_same_version(small_bundle: Path, closed: Path, tmp_path: Path) -> None:
    assert close_bundle(small_bundle, tmp_path / "again").version == read_manifest(closed).version
