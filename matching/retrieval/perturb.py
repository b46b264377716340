"""Feed noise for self-supervised training: how the same name is written by others.

Modelled on what feeds do: cut at 30 or 31 characters, abbreviate words by their beginnings or their consonants, drop
generic words and legal forms, drop or swap letters, join two words, keep only the initials, and hang a security line on
the end.
"""

from __future__ import annotations

import random

from matching.name_tables import ABBREVIATIONS

LINES = (
    " DL-,01",
    " INH O.N.",
    " ORD 20P",
    " ADR",
    " CL.A",
    " DRN",
    " FPO",
    " Common Stock",
    " Class A",
    " SP.ADR/1",
    " EO 1",
    " Registered Shares",
)
_SHORT: dict[str, list[str]] = {}
for _short, _long in ABBREVIATIONS.items():
    _SHORT.setdefault(_long, []).append(_short)


def perturb(name: str, dice: random.Random) -> str:
    """Another writing of `name`. One to three of the usual distortions; never an empty text."""
    words = name.split()
    for _ in range(dice.choice((1, 1, 2, 3))):
        words = dice.choice(_DISTORTIONS)(words, dice) or words
    text = " ".join(words)
    if dice.random() < 0.2:
        text += dice.choice(LINES)
    if dice.random() < 0.25:
        text = text[:31]
    return text.upper() if dice.random() < 0.4 else text


def _abbreviate(words: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(words))
    word = words[at]
    known = _SHORT.get(word.lower().strip(".,"))
    if known and dice.random() < 0.6:
        short = dice.choice(known)
    elif len(word) > 5 and dice.random() < 0.7:
        short = word[: dice.randint(3, len(word) - 2)] + dice.choice(("", "."))
    elif len(word) > 4:
        short = word[0] + "".join(c for c in word[1:] if c.lower() not in "aeiou")
    else:
        short = word
    return [*words[:at], short, *words[at + 1 :]]


def _drop_word(words: list[str], dice: random.Random) -> list[str]:
    if len(words) < 2:
        return words
    at = len(words) - 1 if dice.random() < 0.6 else dice.randrange(1, len(words))
    return words[:at] + words[at + 1 :]


def _typo(words: list[str], dice: random.Random) -> list[str]:
    at = max(range(len(words)), key=lambda i: len(words[i]) * dice.random())
    word = words[at]
    if len(word) < 4:
        return words
    i = dice.randrange(1, len(word) - 1)
    kind = dice.randrange(3)
    spelt = (word[:i] + word[i + 1 :], word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i] + word[i:])[
        kind
    ]
    return [*words[:at], spelt, *words[at + 1 :]]


def _join(words: list[str], dice: random.Random) -> list[str]:
    if len(words) < 2:
        return words
    at = dice.randrange(len(words) - 1)
    return [*words[:at], words[at] + words[at + 1], *words[at + 2 :]]


def _initials(words: list[str], dice: random.Random) -> list[str]:
    if len(words) < 3 or dice.random() < 0.7:
        return words
    return ["".join(w[0] for w in words if w[0].isalpha())]


_DISTORTIONS = (_abbreviate, _abbreviate, _drop_word, _drop_word, _typo, _join, _initials)
