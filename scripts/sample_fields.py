"""Reads the messy text fields of the sample's source: names, places, websites, industries.

A field that is not clearly what it should be becomes null: nothing is guessed. What is read is facts about companies;
natural persons (key people, founders) are never looked at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def _listed(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split(",")]


LEGAL = frozenset(
    _listed(
        """
    ab, ag, and, asa, bancorp, bhd, co, company, corp, corporation, cv, de, group, holding, holdings, inc,
    incorporated, kgaa, limited, llc, lp, ltd, n, new, nv, of, oyj, plc, s, sa, se, spa, the, trust, v
    """
    )
)
FILLER = frozenset({"and", "de", "n", "of", "s", "the", "v"})
SAME_FORM = {"company": "co", "corporation": "corp", "incorporated": "inc", "limited": "ltd", "holdings": "holding"}

STATES = frozenset(
    _listed(
        """
    Alabama, Alaska, Arizona, Arkansas, California, Colorado, Connecticut, Delaware, D.C., Florida, Georgia,
    Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky, Louisiana, Maine, Maryland, Massachusetts,
    Michigan, Minnesota, Mississippi, Missouri, Montana, Nebraska, Nevada, New Hampshire, New Jersey, New
    Mexico, New York, North Carolina, North Dakota, Ohio, Oklahoma, Oregon, Pennsylvania, Puerto Rico, Rhode
    Island, South Carolina, South Dakota, Tennessee, Texas, Utah, Vermont, Virginia, Washington, West Virginia,
    Wisconsin, Wyoming
    """
    )
)
COUNTRY_NAMES = _listed(
    """
    Argentina, Australia, Austria, Bahamas, Belgium, Bermuda, Canada, China, Finland, France, Germany, Greece,
    Guernsey, Ireland, Isle of Man, Israel, Italy, Japan, Jersey, Luxembourg, Mexico, Netherlands, New Zealand,
    Russian Federation, Singapore, Spain, Sweden, Switzerland, United Kingdom, United States
    """
)
COUNTRIES = {
    **{name: name for name in COUNTRY_NAMES},
    **dict.fromkeys(("U.S.", "U.S", "US", "USA", "U.S.A."), "United States"),
    **dict.fromkeys(("UK", "U.K.", "England", "Scotland", "Wales", "Northern Ireland"), "United Kingdom"),
    "The Netherlands": "Netherlands",
}
GICS = _listed(
    """
    Communication Services, Consumer Discretionary, Consumer Staples, Energy, Financials, Health Care,
    Industrials, Information Technology, Materials, Real Estate, Utilities
    """
)
SECTORS = {
    **{name: name for name in GICS},
    "Basic Materials": "Materials",
    "Consumer Cyclicals": "Consumer Discretionary",
    "Consumer Non-Cyclicals": "Consumer Staples",
    "Financial Services": "Financials",
    "Financial services": "Financials",
    "Healthcare": "Health Care",
    "Information technology": "Information Technology",
    "Real estate": "Real Estate",
    "Technology": "Information Technology",
    "Telecommunications Services": "Communication Services",
}

CITY = re.compile(r"[^\W\d_][^\W\d_.'’\- ]*(?:[.'’\- ]+[^\W\d_]+\.?){0,4}")
NOT_ONE_CITY = re.compile(r" (and|near|County)\b|^(Formerly|Unincorporated)\b")
POSTCODE_OR_NOTE = re.compile(r"\([^)]*\)|\b\d{3}[-–]\d{4}\b|\d+°.*| Prefecture\b")
COUNTRY_INSIDE = re.compile(rf"(?<!\w)(?<!New )({'|'.join(map(re.escape, COUNTRIES))})(?!\w)(?! City| Square)")
DOMAIN = re.compile(r"(?:https?://)?(?:www\.)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?=[\s/]|$)", re.IGNORECASE)
Place = tuple[str | None, str | None, str | None]


def name_words(name: str) -> list[str]:
    """Lower-case ASCII words of a name, without dots, EDGAR's marks (`/DE/`, `/ADR`) or a last remark in brackets."""
    text = unicodedata.normalize("NFKD", re.sub(r"\s*/.*$|\([^)]*\)$", "", name))
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    return re.findall(r"[a-z0-9]+", re.sub(r"[.'’]", "", text))


def core_words(name: str) -> list[str]:
    """The words of a name that are not legal form or filler: what two names of one company usually share."""
    return [word for word in name_words(name) if word not in LEGAL]


def legal_words(name: str) -> set[str]:
    """The legal-form words of a name, each in its short form (`corporation` is `corp`)."""
    return {SAME_FORM.get(word, word) for word in name_words(name) if word in LEGAL - FILLER}


def _country(part: str) -> str | None:
    return COUNTRIES.get(part, COUNTRIES.get(part.rstrip(".")))


def _address(text: str) -> tuple[list[str], str | None]:
    """The parts of one address before its country, and the country. A text of two addresses has none that is clear."""
    parts = [part for part in (part.strip(" ;") for part in POSTCODE_OR_NOTE.sub("", text).split(",")) if part]
    country = _country(parts[-1]) if parts else None
    while parts and country and _country(parts[-1]) == country:
        parts.pop()
    if any(COUNTRY_INSIDE.search(part) for part in parts):
        return [], None
    if country is None and len(parts) > 1 and parts[-1] in STATES:
        country = "United States"
    return parts, country


def _city(part: str, country: str, known_cities: frozenset[tuple[str, str]]) -> str | None:
    """The city that a part of an address names, also behind the name of a building (`Willis Tower Chicago`)."""
    if not part[0].isupper() or not CITY.fullmatch(part) or NOT_ONE_CITY.search(part):
        return None
    words = part.split()
    if len(words) > 2 and (part, country) not in known_cities:
        endings = (" ".join(words[start:]) for start in range(len(words) - 1, 0, -1))
        return next((ending for ending in endings if (ending, country) in known_cities), None)
    return part


def read_place(text: str, known_cities: frozenset[tuple[str, str]] = frozenset()) -> Place:
    """(city, state, country) of a text like `Armonk, New York , U.S.`; None for what is not clear.

    A US city is what stands before a state. Elsewhere it is what stands alone before the country or, in a longer
    address, what stands last before it and is in `known_cities`: pairs of (city, country) that stood alone somewhere.
    """
    parts, country = _address(text)
    if not parts or country is None:
        return None, None, country
    if country != "United States":
        alone = len(parts) == 1 or (parts[-1], country) in known_cities
        return _city(parts[-1], country, known_cities) if alone else None, None, country
    if parts[-1] == "New York City":
        return parts[-1], "New York", country
    if parts[-1] not in STATES:
        return None, None, country
    return _city(parts[-2], country, known_cities) if len(parts) > 1 else None, parts[-1], country


def cities_standing_alone(texts: Iterable[str]) -> frozenset[tuple[str, str]]:
    """The (city, country) pairs of the texts that say a city without knowing any."""
    found = (read_place(text) for text in texts)
    return frozenset((city, country) for city, _, country in found if city and country)


def best_place(texts: Iterable[str], known_cities: frozenset[tuple[str, str]]) -> Place:
    """The first text that says a city and a country, else the first that says a country."""
    places = [read_place(text, known_cities) for text in texts]
    return next((p for p in places if p[0]), next((p for p in places if p[2]), (None, None, None)))


def read_website(text: str) -> str | None:
    """The first domain in a text, in lower case and without `www.`; None for `Official website` and the like."""
    found = DOMAIN.search(text)
    return found.group(1).lower() if found else None


def read_industries(texts: Iterable[str]) -> tuple[str | None, str | None]:
    """(sector, industry): the first text that is a GICS sector or a synonym of one, and the first that is neither.

    Texts of more than 40 characters are whole lists run together, and are passed over.
    """
    texts = list(texts)
    sector = next((SECTORS[text] for text in texts if text in SECTORS), None)
    return sector, next((text for text in texts if text not in SECTORS and len(text) <= 40), None)
