"""Countries by any of their names or codes: ISO 3166 codes from a table made of `rigour`.

`rigour` knows them too, but reads its own table anew in every process, which takes two seconds; this one takes none to
speak of. `scripts/territories.py` writes it, `territories.tsv`: for each country its code, the codes that stand for it
(of regions too), and its names.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

TERRITORIES = Path(__file__).with_name("territories.tsv")
DROPPED = str.maketrans("", "", ".()[],;:_-/'")  # what rigour drops; other signs become spaces


def country_code(text: str) -> str | None:
    """The ISO 3166 code of a country, of the one a region belongs to, or None where `rigour` knows neither."""
    codes, names = _tables()
    return codes.get(text.casefold().replace("_", "-").strip()) or names.get(_normal(text))


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """The country of each code, and of each name."""
    lines = TERRITORIES.read_text().splitlines()
    split = [line.split("\t") for line in lines if not line.startswith("#")]
    codes = {code: country for country, codes, *_ in split for code in codes.split()}
    return codes, {name: country for country, _, *names in split for name in names}


def _normal(text: str) -> str:
    """A name as the table has it, which is `rigour.territories.util.normalize_territory_name`."""
    if not text.isascii():
        from rigour.territories.util import normalize_territory_name

        return str(normalize_territory_name(text))
    kept = text.casefold().translate(DROPPED)
    return " ".join("".join(c if c.isalnum() else " " for c in kept).split())
