"""Files that are complete, unfinished, or changing under us."""

import pytest

from sensors.rules.landing import SETTLE_SECONDS, STALE_SECONDS, Sighting, Stat, complete, observe, stale

FILE = Stat(size=120, modified_ns=5)


def test_a_file_seen_for_the_first_time_is_left_until_it_has_settled() -> None:
    seen = observe({"2026-11-20.csv": FILE}, {}, now=100)
    assert complete(seen, now=100) == ()
    assert complete(seen, now=100 + SETTLE_SECONDS) == ("2026-11-20.csv",)


@pytest.mark.parametrize("grown", [Stat(121, 5), Stat(120, 6)], ids=["longer", "rewritten"])
def test_a_file_that_still_changes_starts_its_wait_again(grown: Stat) -> None:
    before = {"2026-11-20.csv": Sighting(FILE, since=0, digest="old")}
    seen = observe({"2026-11-20.csv": grown}, before, now=100)
    assert seen["2026-11-20.csv"] == Sighting(grown, since=100)
    assert complete(seen, now=100) == ()


def test_an_unchanged_file_keeps_its_digest() -> None:
    before = {"2026-11-20.csv": Sighting(FILE, since=0, digest="known")}
    assert observe({"2026-11-20.csv": FILE}, before, now=100) == before


def test_a_file_that_went_away_is_forgotten() -> None:
    assert observe({}, {"2026-11-20.csv": Sighting(FILE, since=0)}, now=100) == {}


@pytest.mark.parametrize(
    "name", [".2026-11-20.csv.ab12.tmp", "2026-11-20.csv.part", "2026-11-20.csv.filepart", "2026-11-20.csv~"]
)
def test_a_file_with_a_temporary_name_is_never_complete(name: str) -> None:
    assert complete({name: Sighting(FILE, since=0)}, now=1e9) == ()


def test_an_empty_file_is_not_complete() -> None:
    assert complete({"2026-11-20.csv": Sighting(Stat(0, 5), since=0)}, now=1e9) == ()


def test_a_file_that_stays_unfinished_is_spoken_of_by_name() -> None:
    seen = {"2026-11-20.csv.part": Sighting(FILE, since=0), "2026-11-21.csv": Sighting(FILE, since=0)}
    assert stale(seen, now=STALE_SECONDS - 1) == {}
    assert list(stale(seen, now=STALE_SECONDS)) == ["2026-11-20.csv.part"]


def test_a_file_seen_by_a_clock_that_was_an_hour_ahead_is_complete_as_soon_as_any_other() -> None:
    ahead = observe({"2026-01-06.csv": FILE}, {}, now=3700)
    seen = observe({"2026-01-06.csv": FILE}, ahead, now=100)
    assert complete(seen, 100) == ()
    assert complete(observe({"2026-01-06.csv": FILE}, seen, 110), 110) == ("2026-01-06.csv",)
