from datetime import date

import numpy as np
import polars as pl
import pytest

from matching.integrity import Delivery, check_integrity

BEFORE, TODAY = [date(2026, 3, day) for day in (2, 3, 4, 5, 6)], date(2026, 3, 9)


def delivered(day: date, rows: int = 200) -> pl.DataFrame:
    """A day as a feed delivers it, all columns text."""
    g = np.random.default_rng(day.toordinal())
    return pl.DataFrame(
        {
            "record_id": [f"{day}-{n}" for n in range(rows)],
            "name": [f"Company {n}" for n in g.integers(0, 10_000, rows)],
            "country": g.choice(["US", "Germany", "gb"], rows),
            "sector": g.choice(["Energy", "Health Care"], rows),
            "city": [None if draw < 0.2 else "Springfield" for draw in g.random(rows)],
            "day": [day] * rows,
        }
    )


HISTORY = pl.concat([delivered(day) for day in BEFORE])


def check(today: pl.DataFrame, refused: int = 0, **more):
    return check_integrity(today.drop("day", strict=False), refused, HISTORY, 10, **more)


def signs(found) -> set[tuple[str, str]]:
    return {(row["column"], row["group"]) for row in found.columns.filter(status="ALARM").iter_rows(named=True)}


def test_a_day_like_the_others_is_quiet():
    found = check(delivered(TODAY), refused=2)
    assert (found.status, signs(found)) == ("OK", set())
    assert found.sentence.startswith("The day is as others were; the farthest, ")


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        (lambda day: day.drop("city"), ("city", "schema")),
        (lambda day: day.rename({"city": "town"}), ("town", "schema")),
        (lambda day: day.with_columns(city=pl.lit(None, pl.String)), ("city", "schema")),
        (lambda day: day.with_columns(sector=pl.lit("")), ("sector", "schema")),
        (lambda day: day.with_columns(city=pl.when(pl.int_range(pl.len()) % 2 == 0).then("city")), ("city", "nulls")),
        (lambda day: day.with_columns(country=pl.lit("Springfield")), ("country", "domain")),
        (lambda day: day.with_columns(sector=pl.lit("Energie")), ("sector", "new values")),
        (lambda day: day.head(40), ("rows", "volume")),
        (lambda day: pl.concat([day] * 4), ("rows", "volume")),
        (lambda day: day.clear(), ("rows", "volume")),
    ],
)
def test_what_is_wrong_with_a_delivery_is_named(change, sign):
    found = check(change(delivered(TODAY)))
    assert found.status == "ALARM"
    assert sign in signs(found)
    assert sign[0] in found.sentence or len(signs(found)) > 1


def test_many_refused_rows_are_a_sign():
    assert ("rows", "quarantine") in signs(check(delivered(TODAY), refused=40))


def test_a_few_values_more_or_less_are_none():
    today = delivered(TODAY).with_columns(
        city=pl.when(pl.int_range(pl.len()) >= 10).then("city"),
        sector=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("Utilities")).otherwise("sector"),
    )
    assert check(today).status == "OK"


def test_new_values_of_a_column_that_has_new_ones_every_day_are_none():
    g = np.random.default_rng(3)
    history, today = (
        frame.with_columns(sector=pl.Series(g.zipf(1.6, frame.height)).cast(pl.String))
        for frame in (HISTORY, delivered(TODAY))
    )
    assert check_integrity(today.drop("day"), 0, history, 10).status == "OK"


def test_a_file_that_came_before_is_named_by_its_day():
    own, twin = Delivery(TODAY, "aa", 20.0), Delivery(BEFORE[2], "aa", 10.0)
    found = check(delivered(TODAY), delivery=own, others=[twin])
    assert signs(found) == {("file", "repeated")}
    assert "the file of 2026-03-04" in found.sentence


def test_rows_that_came_before_under_another_file_are_a_sign():
    again = HISTORY.filter(pl.col("day") == BEFORE[1])
    assert ("rows", "repeated") in signs(check(again))


def test_a_file_that_came_after_that_of_a_later_day_is_late():
    own, later = Delivery(TODAY, "aa", 20.0), Delivery(date(2026, 3, 10), "bb", 19.0)
    found = check(delivered(TODAY), delivery=own, others=[later])
    assert signs(found) == {("file", "late")}


def test_a_day_that_is_taken_in_again_is_not_late():
    own, later = Delivery(TODAY, "aa", 18.0), Delivery(date(2026, 3, 10), "bb", 19.0)
    assert check(delivered(TODAY), delivery=own, others=[later]).status == "OK"


def test_without_days_to_compare_with_nothing_is_said_to_be_fine():
    found = check_integrity(delivered(TODAY).drop("day"), 0, HISTORY.clear(), 0)
    assert (found.status, found.number) == ("UNKNOWN", None)
    assert "0 days before it are known" in found.sentence


def test_a_repeated_file_is_seen_even_then():
    own, twin = Delivery(TODAY, "aa", 20.0), Delivery(BEFORE[2], "aa", 10.0)
    found = check_integrity(delivered(TODAY).drop("day"), 0, HISTORY.clear(), 0, own, [twin])
    assert found.status == "ALARM"


def test_no_value_of_a_record_is_told():
    found = check(delivered(TODAY).with_columns(country=pl.lit("Zyxland"), sector=pl.lit("Zyxing")))
    assert "Zyx" not in found.sentence + found.columns.write_csv()
