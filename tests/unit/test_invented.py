"""Training without labels: what is made up, what is learnt from it, and that it is never taken for evidence."""

import polars as pl
import pytest

from matching.invented import ABSENT_SHARE, fit_without_labels, invent
from matching.records import InputError
from matching.scoring import Scorer


@pytest.fixture(scope="module")
def made_up(small_frames):
    return invent(small_frames.reference, seed=7)


def test_the_entity_of_a_record_without_a_match_is_not_in_the_reference(made_up) -> None:
    kept, _, labels = made_up
    without = labels.filter(pl.col("reference_id").is_null())
    assert without.height == int(ABSENT_SHARE * labels.height)
    assert not set(without["entity_key"]) & set(kept["reference_id"])
    assert set(labels["reference_id"].drop_nulls()) <= set(kept["reference_id"])


def test_names_are_written_otherwise_and_attributes_are_known_of_some(made_up, small_frames) -> None:
    _, records, labels = made_up
    both = records.join(labels, on="record_id").join(
        small_frames.reference, left_on="entity_key", right_on="reference_id"
    )
    assert (both["name"] != both["name_right"]).mean() > 0.8
    known = both.filter(pl.col("country_right").is_not_null())
    assert 0.3 < known["country"].is_not_null().mean() < 0.9
    assert (known["country"].drop_nulls() == known.drop_nulls("country")["country_right"]).all()


def test_the_same_seed_makes_up_the_same_and_another_does_not(made_up, small_frames) -> None:
    again, other = (invent(small_frames.reference, seed) for seed in (7, 8))
    assert all(a.equals(b) for a, b in zip(made_up, again, strict=True))
    assert not made_up[1].equals(other[1])


def test_a_reference_that_is_too_small_is_refused(small_frames) -> None:
    with pytest.raises(InputError, match="too few to make up records"):
        invent(small_frames.reference.head(50), 7)


@pytest.mark.slow
def test_a_version_trained_on_made_up_records_finds_real_ones_and_matches_nothing(
    small_frames, small_config, tmp_path
) -> None:
    manifest = fit_without_labels(small_frames.reference, None, small_config, bundle=tmp_path / "bundle")
    decisions = Scorer.load(tmp_path / "bundle").score(small_frames.records).decisions
    assert "made-up writings" in manifest.facts["certificate"]["statement"]
    assert not (decisions["decision"] == "match").any()
    right = decisions.join(small_frames.labels.drop_nulls("reference_id"), on="record_id")
    assert (right["reference_id"] == right["reference_id_right"]).mean() > 0.9
