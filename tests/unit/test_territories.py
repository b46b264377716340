"""Countries by their names and codes, as `rigour` has them."""

import pytest

from matching.territories import country_code

# What `rigour.territories.lookup_territory` says; to ask it takes two seconds.
KNOWN = {
    "US": "us", "usa": "us", "United States": "us", "UNITED STATES OF AMERICA": "us", "U.S.A.": "us", "US_CA": "us",
    "California": "us", "Ala.": "us", "ALA": "ax", "Korea, Republic of": "kr", "Côte d'Ivoire": "ci", "Россия": "ru",
    "中国": "cn", "de-by": "de", "UK": "gb", "England": "gb", "Atlantis": None, "-": None,
}  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_a_country_is_known_by_any_of_its_names(text: str) -> None:
    assert country_code(text) == KNOWN[text]
