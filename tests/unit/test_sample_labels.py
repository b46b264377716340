"""How the embedded sample finds a company's registrant and reads its fields, on small made-up cases."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
LINES = pl.DataFrame(
    [
        ("0000000001", "AGN", "Allergan plc"),
        ("0000000002", "SI", "Shoulder Innovations, Inc."),
        ("0000000003", "MRK", "Merck & Co., Inc."),
        ("0000000004", "RIO", "RIO TINTO PLC"),
        ("0000000005", "RTNTF", "RIO TINTO LTD"),
        ("0000000006", "INDB", "INDEPENDENT BANK CORP"),
        ("0000000007", "IBCP", "INDEPENDENT BANK CORP /MI/"),
    ],
    schema=["cik", "ticker", "name"],
    orient="row",
)
REFERENCE = LINES.select(("CIK" + pl.col("cik")).alias("reference_id"), "name")


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module("sample_labels")


@pytest.fixture
def fields(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module("sample_fields")


def find(
    labels: ModuleType, name: str, *entries: tuple[str, dict[str, Any]], review: dict[str, str] | None = None
) -> str:
    registrants = labels.Registrants(LINES, REFERENCE)
    return str(labels.find_registrant(labels.Company(name, list(entries)), registrants, review or {})[0])


def lines(yahoo: str, google: str) -> dict[str, Any]:
    return {"symbols": [{"yahoo": yahoo, "google": google, "currency": "USD"}]}


def test_the_ticker_of_a_us_index_finds_a_renamed_registrant(labels: ModuleType) -> None:
    assert find(labels, "Frozen Shoulders", ("S&P 600", {"symbol": "SI"})) == "CIK0000000002"


def test_a_foreign_symbol_is_never_looked_up_as_a_us_ticker(labels: ModuleType) -> None:
    assert find(labels, "Aegon", ("AEX", {"symbol": "AGN.AS"} | lines("AGN.AS", "AMS:AGN"))) == "none"


def test_a_symbol_of_a_foreign_index_is_not_a_us_ticker_even_without_a_suffix(labels: ModuleType) -> None:
    assert find(labels, "Aegon", ("SDAX", {"symbol": "AGN"})) == "none"


def test_a_line_that_now_belongs_to_a_company_of_another_name_leaves_the_record_out(labels: ModuleType) -> None:
    assert find(labels, "Siemens", ("DAX", lines("SI", "NYSE:SI"))) == "drop"


def test_a_name_that_the_source_gives_to_two_companies_is_left_out(labels: ModuleType) -> None:
    assert find(labels, "Rio Tinto", ("S&P 500", {"symbol": "RIO"}), ("S&P 600", {"symbol": "MRK"})) == "drop"


def test_a_company_without_a_line_is_left_out_where_a_registrant_has_its_name(labels: ModuleType) -> None:
    assert find(labels, "Merck Group", ("DAX", {"symbol": "MRK.DE"})) == "drop"


def test_what_was_read_comes_first(labels: ModuleType) -> None:
    assert find(labels, "Merck Group", ("DAX", {"symbol": "MRK.DE"}), review={"Merck Group": "none"}) == "none"


def test_a_registrant_that_nothing_tells_apart_is_an_alternative(labels: ModuleType) -> None:
    assert labels.Registrants(LINES, REFERENCE).same_names("Rio Tinto", "CIK0000000004") == ["CIK0000000005"]


def test_a_legal_form_tells_registrants_apart(labels: ModuleType) -> None:
    assert labels.Registrants(LINES, REFERENCE).same_names("Rio Tinto plc", "CIK0000000004") == []


def test_the_mark_of_a_state_tells_registrants_apart(labels: ModuleType) -> None:
    assert labels.Registrants(LINES, REFERENCE).same_names("Independent Bank Corp.", "CIK0000000006") == []


def test_companies_that_share_a_foreign_symbol_are_one_entity(labels: ModuleType) -> None:
    names = ("Bank of Yokohama", "Yokohama Financial Group", "Chiba Bank")
    symbols = ("7186.T", "7186.T", "8331.T")
    pairs = zip(names, symbols, strict=True)
    companies = [labels.Company(name, [("NIKKEI 225", {"symbol": symbol})]) for name, symbol in pairs]
    yokohama, group, chiba = (labels.entities(companies)[company.record_id] for company in companies)
    assert yokohama == group != chiba


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Armonk, New York , U.S.", ("Armonk", "New York", "United States")),
        ("Willis Tower , Chicago, Illinois", ("Chicago", "Illinois", "United States")),
        ("London , England, UK", ("London", None, "United Kingdom")),
        ("8 Canada Square , London , England , United Kingdom", ("London", None, "United Kingdom")),
        ("Wolfsburg , Lower Saxony , Germany", (None, None, "Germany")),
        ("Galway , Ireland (incorporation) Berwyn, Pennsylvania , United States (executive)", (None, None, None)),
    ],
)
def test_a_place_is_read_only_where_it_is_clear(fields: ModuleType, text: str, place: tuple[str | None, ...]) -> None:
    assert fields.read_place(text, frozenset({("London", "United Kingdom")})) == place


@pytest.mark.parametrize(
    ("text", "website"),
    [("https://www.clariane.com/en/", "clariane.com"), ("Allianz.com", "allianz.com"), ("Official website", None)],
)
def test_a_website_is_a_domain_or_nothing(fields: ModuleType, text: str, website: str | None) -> None:
    assert fields.read_website(text) == website
