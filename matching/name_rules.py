"""The rules of `matching.name_tables` and the legal forms of `legal_forms.tsv`, arranged for the compiled pass.

The legal forms are those of `rigour` (ISO 20275 and others; `scripts/legal_forms.py` writes the file): a table can be
looked up in compiled code, and spares every process the start of the library.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matching import name_tables as tables
from matching.patterns import Programs, compile_patterns
from matching.vocabulary import Vocabulary
from matching.word_kernels import (
    AND,
    ARTICLE,
    CUT_LINE,
    INDONESIA,
    NUMBERED,
    PREFIX,
    ROMAN,
    STOP,
    WIDEST_FORM,
)

LEGAL_FORMS = Path(__file__).with_name("legal_forms.tsv")
# In the order of their numbers in `line_kernels`.
PATTERNS = (
    tables.PAR_VALUE, tables.PAR_VALUE_PENCE, tables.PAR_VALUE_CUT, tables.LEADING_THE, tables.HOLDING,
    tables.BRACKETED_STATE, tables.SHARE_CLASS, tables.TRAILING_CLASS, tables.INITIALS,
)  # fmt: skip


class Rules(NamedTuple):
    """Words that mean something, in a hash table: slots and texts as in `Vocabulary`.

    longest, widest: characters of the longest word, and of the longest one that is written instead of another.
    kind: int32, bits of `word_kernels`. canonical: int32, the word that is written instead. form, cut_form (of a word
    that a feed has cut), prefix_form (in front of a name): int32 numbers of legal forms. -1: none. All [words].
    """

    slots: NDArray[np.int32]
    chars: NDArray[np.uint8]
    starts: NDArray[np.int32]
    longest: int
    widest: int
    kind: NDArray[np.int32]
    canonical: NDArray[np.int32]
    form: NDArray[np.int32]
    cut_form: NDArray[np.int32]
    prefix_form: NDArray[np.int32]


@lru_cache(maxsize=1)
def programs() -> Programs:
    """The patterns of lines: PATTERNS, then those of instruments."""
    return compile_patterns([p.pattern for p in (*PATTERNS, *(pattern for _, pattern in tables.INSTRUMENTS))])


@lru_cache(maxsize=1)
def rules() -> tuple[Rules, tuple[str, ...]]:
    """The words of the rules, and the legal forms by number."""
    forms = {w: legal_form_of(w) for w in _writings()}
    cut = {w: _cut_form(w) for w in _beginnings(tables.CUT_FORMS)}
    prefixes = {w: w for w in tables.PREFIX_FORMS}
    lines = _beginnings(tables.CUT_LINES)
    kinds: tuple[tuple[int, Iterable[str]], ...] = (
        (ROMAN, tables.ROMAN), (STOP, tables.STOP_TOKENS), (ARTICLE, tables.ARTICLES), (NUMBERED, tables.NUMBERED),
        (PREFIX, prefixes), (CUT_LINE, lines), (AND, ("and",)), (INDONESIA, ("pt",)),
    )  # fmt: skip
    spelt = tables.ROMAN | tables.NUMBER_WORDS | tables.ABBREVIATIONS
    words = sorted({*forms, *cut, *spelt, *spelt.values(), *(w for _, members in kinds for w in members)})
    number = {w: i for i, w in enumerate(words)}
    vocabulary = Vocabulary.of(words)
    names = sorted({*filter(None, forms.values()), *filter(None, cut.values()), *prefixes})
    form_number = {f: i for i, f in enumerate(names)}
    kind = np.zeros(len(words), np.int32)
    for bit, members in kinds:
        kind[[number[w] for w in members]] |= bit

    def column(values: dict[str, str], numbers: dict[str, int]) -> NDArray[np.int32]:
        return np.array([numbers.get(values.get(w, ""), -1) for w in words], np.int32)

    longest, widest = max(map(len, words)), max(map(len, spelt.values()))
    table = Rules(
        vocabulary.slots, vocabulary.chars, vocabulary.starts, longest, widest, kind, column(spelt, number),
        column(forms, form_number), column(cut, form_number), column(prefixes, form_number),
    )  # fmt: skip
    return table, tuple(names)


@lru_cache(maxsize=1)
def known_forms() -> dict[str, str]:
    """Writings of legal forms, and the form; empty where a writing says that there is a form, but not which."""
    lines = LEGAL_FORMS.read_text(encoding="utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines) | tables.FORM_ALIASES


def legal_form_of(words: str) -> str:
    """The normalised legal form when `words` is one and nothing else (`company limited` -> `coltd`), else empty."""
    parts = words.split()
    # As it stands, with its words shortened (`company limited` = `co ltd`), and with its letters together (`s a`).
    writings = [words, " ".join(tables.FORM_ALIASES.get(w, w) for w in parts)]
    if all(len(w) == 1 for w in parts):
        writings.append("".join(parts))
    return next((known_forms()[w] for w in writings if w in known_forms()), "")


def canonical_token(word: str) -> str:
    """One spelling for numerals (II = 2, two = 2) and for abbreviations that do not show what they stand for."""
    if word.isdigit():
        return word.lstrip("0") or "0"
    return (tables.ABBREVIATIONS | tables.NUMBER_WORDS | tables.ROMAN).get(word, word)


def _writings() -> list[str]:
    """Everything that `legal_form_of` knows, of at most WIDEST_FORM words."""
    longer: dict[str, list[str]] = {}
    for long, short in tables.FORM_ALIASES.items():
        longer.setdefault(short, []).append(long)
    found: set[str] = set()
    for known in known_forms():
        parts = known.split()
        found |= {" ".join(writing) for writing in product(*([p, *longer.get(p, ())] for p in parts))}
        if len(parts) == 1:
            found.add(" ".join(known))
    return [w for w in found if len(w.split()) <= WIDEST_FORM]


def _beginnings(lines: Iterable[str]) -> set[str]:
    """What a feed may leave of the lines, of two letters or more."""
    return {line[:width] for line in lines for width in range(2, len(line) + 1) if " " not in line[:width]}


def _cut_form(word: str) -> str:
    for form in tables.CUT_FORMS:
        if form.startswith(word) and word != form:
            return tables.FORM_ALIASES.get(form, form)
    return ""
