"""The companies of the simulated month and how two feeds write them. Seeded: the same arguments give the same frames.

The reference is the sample's, less a sixth of its issuers, which arrive in the feed all the same and have no match. The
first feed writes names as an index does: the legal form is often gone, some words are short, cut or mistyped. The
second writes as a terminal does: in capitals, without legal form, vowels dropped from the long words, cut off after 20
characters, often with the kind of share behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from matching.split import hash_keys
from matching_assets.sample import sample_files

ABSENT_ONE_IN, ABSENT_SHARE = 6, 0.2
CUT = 20
SHORT = {
    "incorporated": "Inc", "corporation": "Corp", "company": "Co", "limited": "Ltd", "international": "Intl",
    "holdings": "Hldgs", "group": "Grp", "technologies": "Techs", "industries": "Inds", "financial": "Finl",
}  # fmt: skip
LEGAL = {
    "inc", "corp", "co", "ltd", "plc", "llc", "lp", "sa", "ag", "nv", "se",
    "corporation", "incorporated", "company", "limited", "holdings",
}  # fmt: skip
LINES = ("ORD", "COM", "CL A", "SHS")
Style = Callable[[str, random.Random], str]


@dataclass(frozen=True)
class World:
    """`reference`: what is delivered. `present`, `absent`: (reference_id, name) of companies with and without a match.

    `truth` fills up as days are written: record_id to reference_id, None where there is none.
    """

    reference: pl.DataFrame
    present: list[tuple[str, str]]
    absent: list[tuple[str, str]]
    truth: dict[str, str | None]

    @classmethod
    def of_sample(cls) -> World:
        """The world made of the embedded sample's reference."""
        issuers = pl.read_parquet(sample_files()["reference"])
        gone = pl.Series(hash_keys(issuers["reference_id"], "absent")) % ABSENT_ONE_IN == 0
        pairs = [
            list(part.select("reference_id", "name").iter_rows())
            for part in (issuers.filter(~gone), issuers.filter(gone))
        ]
        return cls(issuers.filter(~gone), *pairs, {})

    def day(self, name: str, style: Style, records: int, seed: int) -> pl.DataFrame:
        """The file of a day, record_id and name, drawn and written anew."""
        dice = random.Random(f"{seed} {name}")
        rows = []
        for number in range(records):
            is_absent = dice.random() < ABSENT_SHARE
            reference_id, title = dice.choice(self.absent if is_absent else self.present)
            record_id = f"{name}-{number:04}"
            self.truth[record_id] = None if is_absent else reference_id
            rows.append((record_id, style(title, dice)))
        return pl.DataFrame(rows, schema=["record_id", "name"], orient="row")

    def labels(self, records: pl.DataFrame) -> pl.DataFrame:
        """The truth about some records."""
        known = [self.truth[record_id] for record_id in records["record_id"]]
        return records.select("record_id", reference_id=pl.Series(known, dtype=pl.String))

    def poisoned(self, records: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
        """Labels of which a share names another company: the neighbour's in the file."""
        right = self.labels(records)
        dice = random.Random(f"poison {seed}")
        ids = right["reference_id"].to_list()
        wrong = [ids[(i + 1) % len(ids)] if dice.random() < share else ids[i] for i in range(len(ids))]
        return right.with_columns(reference_id=pl.Series(wrong, dtype=pl.String))


def as_an_index(name: str, dice: random.Random) -> str:
    """The first feed's style."""
    words = _words(name)
    if len(words) > 1 and _bare(words[-1]) in LEGAL and dice.random() < 0.5:
        words = words[:-1]
    if dice.random() < 0.3:
        words = [SHORT.get(_bare(word), word) for word in words]
    at = dice.randrange(len(words))
    if dice.random() < 0.2:
        words[at] = _mistyped(words[at], dice)
    elif dice.random() < 0.3:
        words[at] = _cut(words[at], dice)
    text = " ".join(words)
    return text.title() if dice.random() < 0.5 else text


def as_a_terminal(name: str, dice: random.Random) -> str:
    """The second feed's style."""
    words = [word.upper() for word in _words(name)]
    if len(words) > 1 and _bare(words[-1]) in LEGAL:
        words = words[:-1]
    words = [words[0], *map(_without_vowels, words[1:])]
    if len(words) > 2 and dice.random() < 0.5:
        words = words[:-1]
    text = " ".join(words)[:CUT].strip()
    return f"{text} {dice.choice(LINES)}" if dice.random() < 0.6 else text


def _words(name: str) -> list[str]:
    return name.replace(",", " ").replace("/", " ").split()


def _bare(word: str) -> str:
    return word.lower().strip(".,")


def _mistyped(word: str, dice: random.Random) -> str:
    """A letter is missing, not the first."""
    if len(word) < 5:
        return word
    at = dice.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


def _cut(word: str, dice: random.Random) -> str:
    """The end of a word is missing."""
    return word[: dice.randint(3, len(word) - 2)] + "." if len(word) > 5 else word


def _without_vowels(word: str) -> str:
    return word[0] + "".join(letter for letter in word[1:] if letter not in "AEIOU") if len(word) > 5 else word
