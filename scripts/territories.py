"""Write `matching/territories.tsv` from what `rigour` knows of countries and their regions.

    python scripts/territories.py

`rigour` does not list the names that it reads: they are taken from its data, in the order in which it looks them up.
"""

from __future__ import annotations

import re
from importlib.metadata import version

from rigour.territories import lookup

from matching.files import atomic_write
from matching.territories import TERRITORIES

HEAD = "# Territories of rigour {} (MIT): countries, codes that stand for them, and names as rigour compares them."


def main() -> None:
    """Keep all but the numbers of Wikidata."""
    codes: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for known, of in ((lookup._get_identifier_map(), codes), (lookup._get_territory_names(), names)):
        for text, territory in sorted(known.items()):
            if not re.fullmatch(r"q\d+", text):
                of.setdefault(territory.code.split("-")[0], []).append(text)
    lines = ["\t".join([country, " ".join(codes[country]), *names.get(country, [])]) for country in sorted(codes)]
    lines.insert(0, HEAD.format(version("rigour")))
    atomic_write(TERRITORIES, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
