"""Names by recombination: references of any number, records that write them otherwise, and records of absent entities.

A name takes its beginning from one real name and its end from another, so words are as frequent and as combined as in
life; a share of the first words is coined from two halves, because a larger reference has more words that occur once.
Records are written as feeds do: upper case, cut at 31 characters, words abbreviated, dropped or mistyped, legal forms
in short, a security line behind. The same seed and sources give the same frames.

This measures speed. Accuracy is measured on real records; the share found here only shows that speed was not bought
with wrong answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

ABSENT, COINED = 0.2, 0.4
COUNTRIES = ("United States", "Canada", "United Kingdom", "Germany", "Japan", "China", "France", "Brazil")
WEIGHTS = (50, 8, 10, 8, 8, 8, 5, 3)
SHORT = {
    "incorporated": "INC", "corporation": "CORP", "company": "CO", "limited": "LTD", "international": "INTL",
    "holdings": "HLDGS", "group": "GRP", "technologies": "TECHS", "industries": "INDS", "financial": "FINL",
    "pharmaceuticals": "PHARMA", "management": "MGMT", "services": "SVCS", "systems": "SYS", "energy": "ENGY",
}  # fmt: skip
LINES = (" DL-,01", " INH O.N.", " ADR", " CL A", " ORD 20P", " - Common Stock", " DRC", " REGISTERED SHS")
Words = list[str]


@dataclass(frozen=True)
class Case:
    """reference (reference_id, name, country), records (record_id, name, country), labels (record_id, reference_id)."""

    reference: pl.DataFrame
    records: pl.DataFrame
    labels: pl.DataFrame


def make_case(references: int, records: int, sources: Sequence[str], seed: int) -> Case:
    """A case of this size; about a fifth of its records have no reference, which their labels say."""
    dice = random.Random(seed)
    absent = round(ABSENT * records)
    names = make_names(references + absent, sources, dice)
    countries = dice.choices(COUNTRIES, WEIGHTS, k=len(names))
    # The absent ones are the last that were made: nothing but their absence sets them apart.
    asked = [*dice.choices(range(references), k=records - absent), *range(references, len(names))]
    dice.shuffle(asked)
    ids = [f"S{i:07d}" for i in range(references)]
    record_ids = [f"q{i:07d}" for i in range(records)]
    return Case(
        pl.DataFrame({"reference_id": ids, "name": names[:references], "country": countries[:references]}),
        pl.DataFrame(
            {
                "record_id": record_ids,
                "name": [write(names[i], dice) for i in asked],
                "country": [countries[i] if dice.random() < 0.6 else None for i in asked],
            },
            schema_overrides={"country": pl.String},
        ),
        pl.DataFrame(
            {"record_id": record_ids, "reference_id": [ids[i] if i < references else None for i in asked]},
            schema_overrides={"reference_id": pl.String},
        ),
    )


def make_names(count: int, sources: Sequence[str], dice: random.Random) -> list[str]:
    """`count` names, no two alike but for case."""
    split = [words for words in (name.split() for name in sources) if len(words) > 1]
    if not split:
        raise ValueError("no name of two words or more to make names from")
    made: dict[str, str] = {}
    while len(made) < count:
        one, other = dice.choice(split), dice.choice(split)
        words = one[: dice.randint(1, min(3, len(one) - 1))] + other[dice.randint(1, len(other) - 1) :]
        if dice.random() < COINED:
            words[0] = coin(one[0], dice.choice(split)[0]) or words[0]
        name = " ".join(words[:8])
        made.setdefault(name.casefold(), name)
    return list(made.values())


def coin(one: str, other: str) -> str | None:
    """A word from the beginning of one and the end of another; None where they are too short or are not letters."""
    if len(one) < 5 or len(other) < 5 or not (one.isalpha() and other.isalpha()):
        return None
    made = one[: (len(one) + 1) // 2] + other[len(other) // 2 :]
    return made.upper() if one.isupper() else made.capitalize()


def write(name: str, dice: random.Random) -> str:
    """The name as a feed would have it. Never empty."""
    words = name.split()
    for _ in range(dice.choice((0, 1, 1, 2))):
        words = dice.choice(NOISE)(words, dice) or words
    text = " ".join(words)
    if dice.random() < 0.5:
        text = text.upper()
    if dice.random() < 0.2:
        text += dice.choice(LINES)
    return text[:31].strip() if dice.random() < 0.2 else text


def _shorten(words: Words, _dice: random.Random) -> Words:
    return [SHORT.get(word.lower().strip(".,"), word) for word in words]


def _abbreviate(words: Words, dice: random.Random) -> Words:
    at = dice.randrange(len(words))
    word = words[at]
    if len(word) < 6:
        return words
    short = word[: dice.randint(4, len(word) - 1)] if dice.random() < 0.5 else word[0] + _consonants(word[1:])
    return [*words[:at], short, *words[at + 1 :]]


def _consonants(text: str) -> str:
    return "".join(letter for letter in text if letter.lower() not in "aeiou")


def _drop_last(words: Words, _dice: random.Random) -> Words:
    return words[:-1] if len(words) > 2 else words


def _mistype(words: Words, dice: random.Random) -> Words:
    at = dice.randrange(len(words))
    word = words[at]
    if len(word) < 4:
        return words
    i = dice.randrange(1, len(word) - 1)
    return [*words[:at], word[:i] + word[i + 1] + word[i] + word[i + 2 :], *words[at + 1 :]]


def _plain(words: Words, _dice: random.Random) -> Words:
    return [kept for word in words if (kept := "".join(c for c in word if c.isalnum() or c == "&"))]


NOISE: tuple[Callable[[Words, random.Random], Words], ...] = (
    _shorten, _abbreviate, _drop_last, _mistype, _plain, _plain
)  # fmt: skip
