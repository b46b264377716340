import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.records import InputError
from matching.split import entity_keys, fold_of, is_held_out

KEYS = pl.Series([f"CIK{n:010d}" for n in range(4000)])


def test_a_label_belongs_to_its_entity_key_then_its_reference_then_its_record():
    labels = pl.DataFrame(
        {"record_id": ["a", "b", "c", "d"], "reference_id": ["R", "R", None, None], "entity_key": ["E", None, " ", "F"]}
    )
    assert entity_keys(labels).to_list() == ["E", "R", "c", "F"]


def test_a_label_without_an_entity_column_belongs_to_its_reference():
    labels = pl.DataFrame({"record_id": ["a", "b"], "reference_id": ["R", None]})
    assert entity_keys(labels).to_list() == ["R", "b"]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True), st.lists(st.text(min_size=1), max_size=20))
def test_adding_records_moves_no_other_record(keys, more):
    before, after = pl.Series(keys), pl.Series([*more, *keys])
    assert fold_of(after, 5, seed=7)[len(more) :].tolist() == fold_of(before, 5, seed=7).tolist()
    assert is_held_out(after, 0.3, seed=7)[len(more) :].tolist() == is_held_out(before, 0.3, seed=7).tolist()


def test_all_records_of_an_entity_share_its_fold():
    assert len(set(fold_of(pl.Series(["R"] * 50), 5, seed=7))) == 1


def test_the_folds_of_a_known_key_never_change():
    assert fold_of(pl.Series(["R1", "R2", "R3", "R4"]), 5, seed=7).tolist() == [1, 4, 1, 2]


def test_folds_are_about_equally_large():
    sizes = np.bincount(fold_of(KEYS, 5, seed=7), minlength=5)
    assert sizes.min() > 700
    assert sizes.max() < 900


def test_about_the_share_is_held_out():
    assert 0.17 < is_held_out(KEYS, 0.2, seed=7).mean() < 0.23


def test_a_larger_share_keeps_what_a_smaller_one_held_out():
    small, large = is_held_out(KEYS, 0.1, seed=7), is_held_out(KEYS, 0.3, seed=7)
    assert large[small].all()


def test_nothing_is_held_out_at_share_zero():
    assert not is_held_out(KEYS, 0.0, seed=7).any()


def test_another_seed_gives_another_split():
    assert (fold_of(KEYS, 5, seed=7) != fold_of(KEYS, 5, seed=8)).mean() > 0.7


def test_held_out_keys_are_spread_over_all_folds():
    folds = fold_of(KEYS, 5, seed=7)[is_held_out(KEYS, 0.2, seed=7)]
    assert np.bincount(folds, minlength=5).min() > 100


def test_a_key_that_is_missing_is_named_by_its_row():
    with pytest.raises(InputError, match="row 2"):
        fold_of(pl.Series(["a", None]), 5, seed=7)


def test_no_labels_give_no_folds():
    assert fold_of(pl.Series([], dtype=pl.String), 5, seed=7).shape == (0,)
