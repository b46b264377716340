"""Finds out which SEC registrant each company of the sample is.

How, in this order:
1. `sample_review.csv` says so, with a reason: the case was read. `drop` leaves the company out.
2. The company is in a US index, and its ticker there is that of one registrant. Several registrants: left out.
3. Its other US lines (NYSE, Nasdaq, OTC) lead to one registrant whose name shares a word. Lines go stale and tickers
   are given to other companies, so anything else that this rule finds is left out.
4. No line leads anywhere: no registrant. If a registrant has the same name but for legal form, it is left out.

Tickers are used here and written nowhere. Symbols of foreign exchanges (`AGN.AS`) are never looked up as US tickers.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from sample_fields import core_words, legal_words

REVIEW = Path(__file__).with_name("sample_review.csv")
US_INDICES = frozenset({"S&P 500", "S&P 600", "S&P 100", "NASDAQ 100", "DOW JONES"})
US_LINE = re.compile(r"(?:NYSE|NASDAQ|OTCMKTS):")
TRADED_AS = re.compile(r"\b(?:NYSE|Nasdaq)\s*:\s*([A-Z]+(?:\.[A-Z])?)\b")
FOREIGN_SYMBOL = re.compile(r".+\.[A-Z]{1,2}")
STATE_MARK = re.compile(r"/[A-Z]{2}/?$")
NO_REGISTRANT, LEFT_OUT = "none", "drop"


class Company(NamedTuple):
    """All entries of one name in the indices: (index, entry as pytickersymbols gives it)."""

    name: str
    entries: list[tuple[str, dict[str, Any]]]

    @property
    def record_id(self) -> str:
        """A hash of the name, which is the source's only key."""
        return "R" + hashlib.sha256(f"pytickersymbols/{self.name}".encode()).hexdigest()[:12]

    def texts(self, field: str) -> list[str]:
        """The values of a field of the entries' metadata, without repeats."""
        values = ((entry.get("metadata") or {}).get(field) for _, entry in self.entries)
        return list(dict.fromkeys(value for value in values if value))

    def lines(self) -> list[dict[str, str]]:
        """Its listed lines: symbols of Yahoo and Google, currency."""
        return [line for _, entry in self.entries for line in entry.get("symbols") or () if line["yahoo"]]

    def index_tickers(self) -> set[str]:
        """Its tickers in the lists of US indices, which are kept current."""
        return {edgar_ticker(e["symbol"]) for index, e in self.entries if index in US_INDICES and e.get("symbol")}

    def other_us_tickers(self) -> set[str]:
        """Its tickers on US exchanges elsewhere in the source, which are not."""
        quoted = {edgar_ticker(line["yahoo"]) for line in self.lines() if US_LINE.match(line["google"] or "")}
        return quoted | {edgar_ticker(t) for text in self.texts("traded_as") for t in TRADED_AS.findall(text)}

    def foreign_keys(self) -> set[str]:
        """What identifies it beside its name: symbols of foreign exchanges (`7186.T`) and the Wikipedia article."""
        symbols = {line["yahoo"] for line in self.lines()} | {e["symbol"] for _, e in self.entries if e.get("symbol")}
        return {symbol for symbol in symbols if FOREIGN_SYMBOL.fullmatch(symbol)} | set(self.texts("wikipedia_url"))


class Registrants:
    """The SEC's registrants, to be found by ticker or by name."""

    def __init__(self, lines: pl.DataFrame, reference: pl.DataFrame) -> None:
        self.by_ticker = dict(lines.select("ticker", ("CIK" + pl.col("cik")).alias("reference_id")).iter_rows())
        self.name = dict(reference.select("reference_id", "name").iter_rows())
        self.by_core: dict[str, list[str]] = defaultdict(list)
        for reference_id, name in self.name.items():
            self.by_core[core_name(name)].append(reference_id)

    def of(self, tickers: set[str]) -> set[str]:
        """The reference_ids that have one of the tickers."""
        return {self.by_ticker[ticker] for ticker in tickers if ticker in self.by_ticker}

    def same_names(self, name: str, reference_id: str) -> list[str]:
        """Other registrants that nothing tells apart from the right one.

        They have the core name of both, no legal form that speaks against it, and no mark of a state (`/NC/`), which
        the record's place could be held against.
        """
        others = set(self.by_core[core_name(name)])
        if reference_id not in others:
            return []
        fits = (other for other in others - {reference_id} if not STATE_MARK.search(self.name[other]))
        return sorted(other for other in fits if legal_words(name) <= legal_words(self.name[other]))


def edgar_ticker(symbol: str) -> str:
    """A ticker as EDGAR writes it: `BRK.B` is `BRK-B`."""
    return symbol.replace(".", "-")


def core_name(name: str) -> str:
    """A name without legal form, case, accents and blanks: `Auto Trader Group plc/ADR` is `autotrader`."""
    return "".join(core_words(name))


def alike(name: str, other: str) -> bool:
    """Whether two names share a word that is not legal form."""
    return core_name(name) == core_name(other) or bool(set(core_words(name)) & set(core_words(other)))


def read_review() -> dict[str, str]:
    """Name to reference_id, NO_REGISTRANT or LEFT_OUT, for the cases that were read."""
    with REVIEW.open(newline="", encoding="utf8") as rows:
        return {row["name"]: row["decision"] for row in csv.DictReader(rows)}


def find_registrant(company: Company, registrants: Registrants, review: dict[str, str]) -> tuple[str, str]:
    """(reference_id or NO_REGISTRANT or LEFT_OUT; the rule that says so)."""
    if company.name in review:
        return review[company.name], "review"
    if found := registrants.of(company.index_tickers()):
        return (found.pop() if len(found) == 1 else LEFT_OUT), "index ticker"
    if found := registrants.of(company.other_us_tickers()):
        clear = len(found) == 1 and all(alike(company.name, registrants.name[one]) for one in found)
        return (found.pop() if clear else LEFT_OUT), "other line"
    return (LEFT_OUT if core_name(company.name) in registrants.by_core else NO_REGISTRANT), "no line"


def entities(companies: list[Company]) -> dict[str, str]:
    """record_id to the smallest record_id of its entity: companies that share a key other than their name are one."""
    import networkx as nx

    graph = nx.Graph([(company.record_id, key) for company in companies for key in company.foreign_keys()])
    ids = {company.record_id for company in companies}
    graph.add_nodes_from(ids)
    return {one: min(group & ids) for group in nx.connected_components(graph) for one in group & ids}


def build_labels(
    companies: list[Company], lines: pl.DataFrame, reference: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The labels of the companies that are not left out, and the rule behind each by record_id."""
    registrants, review = Registrants(lines, reference), read_review()
    found = {company.record_id: find_registrant(company, registrants, review) for company in companies}
    entity = entities([company for company in companies if found[company.record_id][0] == NO_REGISTRANT])
    rows = []
    for company in companies:
        decision = found[company.record_id][0]
        if decision == LEFT_OUT:
            continue
        matched = decision != NO_REGISTRANT
        rows.append(
            {
                "record_id": company.record_id,
                "reference_id": decision if matched else None,
                "entity_key": decision if matched else entity[company.record_id],
                "same_name_alternatives": registrants.same_names(company.name, decision) if matched else [],
            }
        )
    text = dict.fromkeys(("record_id", "reference_id", "entity_key"), pl.String)
    labels = pl.DataFrame(rows, schema=text | {"same_name_alternatives": pl.List(pl.String)})
    return labels.sort("record_id"), {record_id: rule for record_id, (_, rule) in found.items()}
