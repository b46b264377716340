"""Identifiers of companies and listings: LEI, ISIN and CIK, and the one form in which each may be compared.

An identifier is right or it is not used: nothing is repaired here. Lower case and surrounding white space are the only
liberties taken, because feeds take them too. Check digits are computed by `python-stdnum`.
"""

from __future__ import annotations

import re

from stdnum import isin
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_97_10

LEI_FORM = re.compile(r"[0-9A-Z]{18}[0-9]{2}")
ISIN_FORM = re.compile(r"[A-Z]{2}[0-9A-Z]{9}[0-9]")
CIK_FORM = re.compile(r"(?:CIK)?([0-9]{1,10})")
CIK_DIGITS = 10


def canonical_identifier(kind: str, value: str) -> str | None:
    """The one form of an identifier that may be compared with another; None when it is not a valid one.

    `kind` is a column of `matching.records.IDENTIFIERS`:
    `lei`   ISO 17442: 20 characters, the last two are check digits by ISO 7064 MOD 97-10 (02 to 98)
    `isin`  ISO 6166: country or agency code, nine characters, a Luhn check digit
    `cik`   SEC Central Index Key: up to ten digits and no check digit; with leading zeros, as EDGAR writes it

    Raises ValueError for another kind.
    """
    tidy = value.strip().upper()
    if kind == "lei":
        # Recomputed rather than tested for remainder 1: that test would also let the unused digits 00, 01 and 99 pass.
        right = LEI_FORM.fullmatch(tidy) and mod_97_10.calc_check_digits(tidy[:-2]) == tidy[-2:]
        return tidy if right else None
    if kind == "isin":
        return tidy if ISIN_FORM.fullmatch(tidy) and _has_isin_check_digit(tidy) else None
    if kind == "cik":
        digits = CIK_FORM.fullmatch(tidy)
        return digits[1].zfill(CIK_DIGITS) if digits and int(digits[1]) > 0 else None
    raise ValueError(f"no identifier of kind {kind!r}")


def _has_isin_check_digit(tidy: str) -> bool:
    try:
        isin.validate(tidy)
    except ValidationError:
        return False
    return True


def lei_is_valid(x: str) -> bool:
    """Whether `x` is a Legal Entity Identifier with right check digits (ISO 17442)."""
    return canonical_identifier("lei", x) is not None


def isin_is_valid(x: str) -> bool:
    """Whether `x` is an International Securities Identification Number with a right check digit (ISO 6166)."""
    return canonical_identifier("isin", x) is not None


def cik_is_valid(x: str) -> bool:
    """Whether `x` is a Central Index Key of the SEC: one to ten digits, not zero."""
    return canonical_identifier("cik", x) is not None
