"""The generator of the scale benchmark: the same seed gives the same frames, and its labels are right."""

import random

import pytest

from benchmarks.generator import ABSENT, coin, make_case, make_names, write

SOURCES = [
    "Allen Aircraft Radio Inc", "Abbott Laboratories", "Deutsche Telekom AG", "International Business Machines Corp",
    "Gamma Oil & Gas Holdings Ltd", "Zenith Marine Insurance Company", "Northern Trust Corporation",
]  # fmt: skip


def test_the_same_seed_gives_the_same_frames():
    one, other = make_case(100, 40, SOURCES, seed=3), make_case(100, 40, SOURCES, seed=3)
    assert one.reference.equals(other.reference)
    assert one.records.equals(other.records)
    assert one.labels.equals(other.labels)


def test_another_seed_gives_other_names():
    assert not make_case(100, 40, SOURCES, seed=3).reference.equals(make_case(100, 40, SOURCES, seed=4).reference)


def test_no_two_references_have_one_name():
    names = make_case(200, 40, SOURCES, seed=1).reference["name"].str.to_lowercase()
    assert names.n_unique() == 200


def test_a_fifth_of_the_records_is_of_absent_entities_and_their_labels_say_so():
    case = make_case(100, 50, SOURCES, seed=1)
    assert case.labels["reference_id"].null_count() == ABSENT * 50
    assert case.labels["record_id"].to_list() == case.records["record_id"].to_list()


def test_a_label_names_the_reference_that_the_record_was_written_from(monkeypatch):
    monkeypatch.setattr("benchmarks.generator.write", lambda name, dice: name)
    case = make_case(100, 50, SOURCES, seed=1)
    told = case.records.join(case.labels, on="record_id").join(case.reference, on="reference_id", how="left")
    present = told.drop_nulls("reference_id")
    assert present.height == 40
    assert present["name"].to_list() == present["name_right"].to_list()
    assert set(told["name"].filter(told["reference_id"].is_null())).isdisjoint(case.reference["name"])


def test_a_writing_is_never_empty():
    dice = random.Random(5)
    assert all(write(name, dice).strip() for name in [*SOURCES, "A B", "& Co"] * 200)


def test_a_coined_word_has_the_beginning_of_one_and_the_end_of_another():
    assert coin("Abbott", "Telekom") == "Abbekom"
    assert coin("AG", "Telekom") is None


def test_names_of_one_word_give_nothing_to_recombine():
    with pytest.raises(ValueError, match="two words"):
        make_names(3, ["Alphabet"], random.Random(1))
