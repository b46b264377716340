import polars as pl
import pytest

from matching.performance import check_performance


def audited(trials: int, wrong: int, probability: float = 0.995) -> pl.DataFrame:
    columns = {"probability": [probability] * trials, "wrong": [n < wrong for n in range(trials)]}
    return pl.DataFrame(columns, schema={"probability": pl.Float64, "wrong": pl.Boolean})


SURE = pl.Series([0.995] * 100)


def check(outcomes: pl.DataFrame, matched: pl.Series = SURE, granted: bool = True):
    return check_performance(outcomes, matched, target=0.99, granted=granted, fewest=30)


def test_a_certificate_that_audits_do_not_speak_against_holds():
    found = check(audited(500, 3))
    assert (found.certificate, found.finding.status) == ("holds", "OK")
    assert found.low < found.precision < found.high


def test_a_certificate_is_broken_when_the_whole_sequence_lies_below_its_target():
    found = check(audited(300, 15))
    assert (found.certificate, found.finding.status) == ("broken", "ALARM")
    assert found.high < 0.99
    assert "285 of 300 right" in found.finding.sentence
    assert found.finding.number == 0.95


def test_a_precision_below_the_target_that_may_be_chance_breaks_nothing():
    found = check(audited(100, 2))
    assert (found.precision, found.certificate) == (0.98, "holds")


@pytest.mark.parametrize(("trials", "granted"), [(0, True), (29, True), (500, False)])
def test_with_few_audits_or_no_certificate_nothing_is_known_of_it(trials, granted):
    assert check(audited(trials, 0), granted=granted).certificate == "unknown"


def test_few_audits_can_break_it_all_the_same():
    assert check(audited(10, 9)).certificate == "broken"


def test_without_audits_the_estimate_is_told():
    found = check(audited(0, 0))
    assert (found.finding.status, found.estimated) == ("OK", pytest.approx(0.995))
    assert found.precision is None
    assert "99.50%" in found.finding.sentence


def test_an_estimate_that_fell_below_the_target_alarms_without_a_label():
    found = check(audited(0, 0), pl.Series([0.97] * 100))
    assert (found.finding.status, found.certificate) == ("ALARM", "unknown")
    assert found.finding.columns["column"][0] == "estimated precision"


def test_the_estimate_is_held_against_the_audit():
    assert check(audited(200, 10, probability=0.99)).error == pytest.approx(0.99 - 0.95)


def test_with_neither_audits_nor_matches_it_is_unknown():
    found = check(audited(0, 0), pl.Series([], dtype=pl.Float64))
    assert (found.finding.status, found.finding.number) == ("UNKNOWN", None)
