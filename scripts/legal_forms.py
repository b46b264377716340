"""Write `matching/legal_forms.tsv` from the table of legal forms that `rigour` is built of.

    python scripts/legal_forms.py resources/names/org_types.yml

The file is that of the tag of the installed version in https://github.com/opensanctions/rigour (MIT), whose sources are
ISO 20275 and others. `rigour` itself can be asked about a text, but does not list what it knows.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

import yaml
from rigour.names.org_types import extract_org_types

from matching.files import atomic_write
from matching.name_rules import LEGAL_FORMS, WIDEST_FORM

HEAD = "# Legal forms of rigour {} (MIT), as lower-case ASCII words, and the form in which they are compared."


def main(table: Path) -> None:
    """Keep the writings that are ASCII words and that rigour reads as one form and nothing else."""
    known: dict[str, str] = {}
    for kind in yaml.safe_load(table.read_text())["types"]:
        for writing in (*kind.get("aliases", ()), kind.get("display"), kind.get("compare")):
            words = " ".join(re.findall("[a-z0-9]+", str(writing or "").casefold()))
            found = extract_org_types(words)
            if len(found) == 1 and found[0][0] == words and 1 <= len(words.split()) <= WIDEST_FORM:
                known[words] = found[0][1]
    lines = [HEAD.format(version("rigour")), *(f"{words}\t{form}" for words, form in sorted(known.items()))]
    atomic_write(LEGAL_FORMS, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
