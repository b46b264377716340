"""Names in columns: the arrays that the compiled kernels read.

A `NameTable` holds n parsed names as flat arrays of token numbers, with their legal forms, share classes and flags; its
`Vocabulary` holds the distinct tokens as flat bytes. A table of records has its own vocabulary; `known_as` maps its
tokens to those of the reference (-1: never seen).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.names import MAX_TOKENS, ReadNames, form_text, read_names
from matching.parallel import each

Ints = NDArray[Any]
CHUNK = 8192  # names that are read at a time: what they need stays small


@dataclass(frozen=True)
class Vocabulary:
    """Distinct tokens. chars: uint8 [sum of lengths], starts: int32 [size + 1]."""

    chars: NDArray[np.uint8]
    starts: NDArray[np.int32]

    @classmethod
    def of(cls, words: Sequence[str]) -> Vocabulary:
        """Number distinct words in the order in which they are given."""
        encoded = [w.encode() for w in words]
        starts = np.zeros(len(words) + 1, np.int32)
        np.cumsum([len(w) for w in encoded], out=starts[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8).copy(), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def words(self) -> list[str]:
        """The tokens as text, in their order."""
        text = self.chars.tobytes().decode()
        return [text[a:b] for a, b in pairwise(self.starts.tolist())]

    @cached_property
    def slots(self) -> NDArray[np.int32]:
        """A hash table of the words: their numbers, and -1 where none stands. Its length is a power of two."""
        from matching.word_kernels import fill_slots

        slots = np.full(1 << (2 * len(self) + 1).bit_length(), -1, np.int32)
        fill_slots(slots, self.chars, self.starts, len(self))
        return slots


@dataclass(frozen=True)
class NameTable:
    """n names in columns. tokens: int32, starts: int64 [n + 1].

    Name i has the tokens `tokens[starts[i]:starts[i + 1]]` of `vocabulary`, the legal form `forms[form[i]]` (int32 [n],
    -1: none), the share class `chr(share_class[i])` (int32 [n], -1: none) and the flags whose bits are in `flags`
    (uint16 [n], see `names.flag_bits`).
    """

    vocabulary: Vocabulary
    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    form: NDArray[np.int32]
    forms: list[str]
    share_class: NDArray[np.int32]
    flags: NDArray[np.uint16]

    @classmethod
    def of(cls, names: Sequence[str | None] | pl.Series) -> NameTable:
        """Parse names; tokens are numbered in order of first appearance, legal forms in alphabetical order."""
        words = _Numbering()
        parts = [
            (words.number(read), np.minimum(read.counts, MAX_TOKENS), read.form, read.share_class, read.flags)
            for read in _read_in_chunks(names)
        ]
        tokens, counts, form, letters, flags = map(np.concatenate, zip(*parts, strict=True)) if parts[1:] else parts[0]
        starts = np.zeros(len(names) + 1, np.int64)
        counts.cumsum(out=starts[1:])
        texts = {kind: form_text(kind) for kind in set(form.tolist())}
        forms = sorted({*texts.values()} - {""})
        number = {kind: forms.index(text) if text else -1 for kind, text in texts.items()}
        return cls(
            words.vocabulary(), tokens, starts, np.array([number[kind] for kind in form.tolist()], np.int32), forms,
            np.where(letters > 0, letters, np.int32(-1)), flags,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, first: int, last: int) -> NameTable:
        """Names first..last - 1, with the same vocabulary and legal forms."""
        starts = self.starts[first : last + 1]
        return NameTable(
            self.vocabulary, self.tokens[starts[0] : starts[-1]], starts - starts[0], self.form[first:last], self.forms,
            self.share_class[first:last], self.flags[first:last],
        )  # fmt: skip

    def words_of(self, name: int) -> list[str]:
        """The tokens of one name as text."""
        v = self.vocabulary
        tokens = self.tokens[self.starts[name] : self.starts[name + 1]]
        return [v.chars[v.starts[t] : v.starts[t + 1]].tobytes().decode() for t in tokens]

    def cores(self) -> list[str]:
        """The tokens of each name joined by a space: equal cores are the same name."""
        words = self.vocabulary.words()
        tokens = [words[t] for t in self.tokens.tolist()]
        return [" ".join(tokens[a:b]) for a, b in pairwise(self.starts.tolist())]

    def same_core(self) -> NDArray[np.int64]:
        """A number for each name, the same for names of the same tokens in the same order. int64 [n]."""
        from matching.word_kernels import first_alike

        return np.asarray(first_alike(self.tokens, self.starts), np.int64)

    def document_frequency(self) -> NDArray[np.int32]:
        """In how many names each token of the vocabulary occurs. int32 [len(vocabulary)]."""
        from matching.word_kernels import document_frequency

        return np.asarray(document_frequency(self.tokens, self.starts, len(self.vocabulary)), np.int32)


class _Numbering:
    """A vocabulary that grows."""

    def __init__(self) -> None:
        self.size = 0
        self.chars = np.empty(0, np.uint8)
        self.starts = np.zeros(1, np.int32)
        self.slots = np.full(0, -1, np.int32)

    def number(self, read: ReadNames) -> NDArray[np.int32]:
        """The numbers of all tokens, int32 flat; new ones are added."""
        from matching.word_kernels import fill_slots, number_tokens

        used, more = int(self.starts[self.size]), int(np.minimum(read.counts, MAX_TOKENS).sum())
        self.chars = _with_room(self.chars, used, len(read.spelling))
        self.starts = _with_room(self.starts, self.size + 1, more)
        if len(self.slots) < 2 * (self.size + more) + 1:
            self.slots = np.full(1 << (3 * (self.size + more) + 1).bit_length(), -1, np.int32)
            fill_slots(self.slots, self.chars, self.starts, self.size)
        tokens, self.size = number_tokens(
            read.spelling, read.rooms, read.token_ends, read.counts, self.slots, self.chars, self.starts, self.size
        )
        return np.asarray(tokens, np.int32)

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.chars[: self.starts[self.size]].copy(), self.starts[: self.size + 1].copy())


def _with_room(values: Ints, used: int, more: int) -> Ints:
    if used + more <= len(values):
        return values
    larger = np.empty(max(used + more, 2 * used), values.dtype)
    larger[:used] = values[:used]
    return larger


def _read_in_chunks(names: Sequence[str | None] | pl.Series) -> Iterator[ReadNames]:
    """Read names, on several threads where there are many."""

    def read(start: int) -> ReadNames:
        part = names[start : start + CHUNK]
        return read_names(part.to_list() if isinstance(part, pl.Series) else part)

    return each(read, range(0, max(len(names), 1), CHUNK))


def known_as(records: Vocabulary, reference: Vocabulary) -> NDArray[np.int32]:
    """For each token of `records` its number in the reference's vocabulary, or -1. int32 [len(records)]."""
    from matching.word_kernels import numbers_of

    return np.asarray(
        numbers_of(reference.slots, reference.chars, reference.starts, records.chars, records.starts), np.int32
    )


def inverse_document_frequency(frequency: NDArray[Any], documents: int) -> NDArray[np.float32]:
    """Smoothed idf, `ln((N + 1) / (df + 0.5))`, never below 0.05 so that a word in every name still counts a little."""
    return np.maximum(np.log((documents + 1) / (frequency + 0.5)), 0.05).astype(np.float32)
