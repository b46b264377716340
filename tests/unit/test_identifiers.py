import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.identifiers import canonical_identifier, cik_is_valid, isin_is_valid, lei_is_valid

APPLE_LEI, APPLE_ISIN = "HWUPKR0MPOU8FGXBT394", "US0378331005"
VALID_LEIS = [APPLE_LEI, "213800KUD8LAJWSQ9D15", "VGRQXHF3J8VDLUA7XE92"]
VALID_ISINS = [APPLE_ISIN, "DE0007164600", "GB00BYXJL758", "XS2530201644"]


@pytest.mark.parametrize("lei", VALID_LEIS)
def test_a_real_lei_is_valid(lei):
    assert lei_is_valid(lei)


@pytest.mark.parametrize("isin", VALID_ISINS)
def test_a_real_isin_is_valid(isin):
    assert isin_is_valid(isin)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "15",
        APPLE_LEI[:-1],
        APPLE_LEI + "0",
        APPLE_LEI.replace("3", "\u0663"),
        "213800-KUD8LAJWSQ9D15",
        "HWUPKR0MPOU8FGXBT3X4",
    ],
)
def test_a_lei_of_another_form_is_refused(broken):
    assert not lei_is_valid(broken)


def test_check_digits_with_the_right_remainder_that_are_never_issued_are_refused():
    stem = next(s for n in range(500) if (s := f"5493000000000{n:05d}") and lei_is_valid(s + "97"))
    assert not lei_is_valid(stem + "00")


@given(st.integers(0, 18))
def test_two_neighbouring_characters_of_a_lei_swapped_are_noticed(at):
    swapped = APPLE_LEI[:at] + APPLE_LEI[at + 1] + APPLE_LEI[at] + APPLE_LEI[at + 2 :]
    assert lei_is_valid(swapped) == (swapped == APPLE_LEI)


@given(st.integers(2, 11), st.sampled_from("0123456789"))
def test_one_wrong_digit_of_an_isin_is_noticed(at, digit):
    wrong = APPLE_ISIN[:at] + digit + APPLE_ISIN[at + 1 :]
    assert isin_is_valid(wrong) == (wrong == APPLE_ISIN)


def test_an_isin_of_no_country_is_refused():
    assert not isin_is_valid("ZZ0378331005")


@pytest.mark.parametrize("cik", ["320193", "0000320193", "CIK0000320193", " 320193 "])
def test_a_cik_is_compared_with_its_leading_zeros(cik):
    assert canonical_identifier("cik", cik) == "0000320193"


@pytest.mark.parametrize("broken", ["", "0", "0000000000", "12345678901", "320193.0", "-1", "AAPL", "\u0663\u0662"])
def test_what_is_not_one_to_ten_digits_is_no_cik(broken):
    assert not cik_is_valid(broken)


def test_lower_case_and_space_around_an_identifier_do_not_matter():
    assert canonical_identifier("lei", f" {APPLE_LEI.lower()}\n") == APPLE_LEI
    assert canonical_identifier("isin", f" {APPLE_ISIN.lower()}") == APPLE_ISIN


def test_an_unknown_kind_of_identifier_is_an_error():
    with pytest.raises(ValueError, match="ticker"):
        canonical_identifier("ticker", "AAPL")


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text):
    for kind in ("lei", "isin", "cik"):
        canonical = canonical_identifier(kind, text)
        assert canonical is None or canonical_identifier(kind, canonical) == canonical
