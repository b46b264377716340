"""What a version takes for ordinary traffic, and which golden decisions it is held to."""

from dataclasses import replace
from datetime import date

import polars as pl

from matching.fit_config import HELD_OUT, FitConfig, assign_use
from matching_assets.challenger import Sources, assemble, measure
from matching_assets.landing import DAY
from matching_assets.usual import LEAST_ROWS, usual_records

CONFIG = FitConfig(holdout_share=0.2)
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 1, day) for day in (5, 6, 7))


def arrived(**days: int) -> pl.DataFrame:
    """So many records of each day, named after it."""
    by_name = {"monday": MONDAY, "tuesday": TUESDAY, "wednesday": WEDNESDAY}
    rows = [(f"{name}{n}", "a name", by_name[name]) for name, count in days.items() for n in range(count)]
    return pl.DataFrame(rows, schema=["record_id", "name", DAY], orient="row")


def labels_of(records: pl.DataFrame) -> pl.DataFrame:
    return records.select("record_id", reference_id="record_id")


NONE = labels_of(arrived(monday=0)).cast(pl.String)


def test_the_newest_days_are_usual_as_many_as_have_enough_records():
    came = arrived(monday=LEAST_ROWS, tuesday=LEAST_ROWS - 1, wednesday=1)
    usual = usual_records(came, NONE, CONFIG)
    assert set(usual["record_id"]) == set(came.filter(pl.col(DAY) >= TUESDAY)["record_id"])


def test_nothing_that_was_learnt_from_is_usual():
    came = arrived(monday=300)
    labels = labels_of(came)
    held_out = assign_use(labels, CONFIG).filter(use=HELD_OUT)["record_id"].to_list()
    assert sorted(usual_records(came, labels, CONFIG)["record_id"]) == sorted(held_out)


def test_held_out_records_count_for_those_that_were_learnt_from_beside_records_without_a_label():
    came = arrived(monday=300)
    labels = labels_of(came.head(200))
    held_out = assign_use(labels, CONFIG).filter(use=HELD_OUT).height
    counts = usual_records(came, labels, CONFIG).group_by("record_id").len()["len"]
    assert (counts == 5).sum() == held_out
    assert (counts == 1).sum() == 100


def test_a_version_is_held_to_its_own_golden_decisions_and_not_to_the_champions(platform):
    parts = [platform.folders.read(name) for name in ("retrieval_index", "encoder", "ranker", "decision_policy")]
    scorer = assemble(Sources(*parts))
    challenger = replace(scorer, policy=scorer.policy.close())
    champion = platform.resources["store"].get_folder(platform.registry.champion().bundle_digest)
    clean, labels = platform.tables.read("clean_records").lazy(), platform.tables.read("labels")
    measured = measure(challenger, clean, labels, platform.resources["training"].fit_config(), champion)
    assert "match" not in set(measured.tables["golden"]["decision"])
    assert measured.facts["golden_changed"]
