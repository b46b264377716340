"""Names in columns: the arrays that the compiled kernels read.

A `NameTable` holds n parsed names as flat arrays of token numbers; its `Vocabulary` holds the distinct tokens as flat
bytes. A table of records has its own vocabulary; `known_as` maps its tokens to those of the reference (-1: never seen).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.names import ParsedName

Ints = NDArray[Any]


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
        return [text[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]


@dataclass(frozen=True)
class NameTable:
    """n names. tokens: int32, starts: int64 [n + 1].

    Name i has the tokens `tokens[starts[i]:starts[i + 1]]` of `vocabulary`.
    """

    vocabulary: Vocabulary
    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, names: Sequence[ParsedName]) -> NameTable:
        """Number the tokens in order of first appearance."""
        numbers: dict[str, int] = {}
        flat = [numbers.setdefault(t, len(numbers)) for n in names for t in n.tokens]
        starts = np.zeros(len(names) + 1, np.int64)
        np.cumsum([len(n.tokens) for n in names], out=starts[1:])
        return cls(Vocabulary.of(list(numbers)), np.array(flat, np.int32), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def document_frequency(self) -> NDArray[np.int32]:
        """In how many names each token of the vocabulary occurs. int32 [len(vocabulary)]."""
        owner = np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.starts))
        pairs = np.unique(owner * max(len(self.vocabulary), 1) + self.tokens)
        return np.bincount(pairs % max(len(self.vocabulary), 1), minlength=len(self.vocabulary)).astype(np.int32)


def known_as(records: Vocabulary, reference: dict[str, int]) -> NDArray[np.int32]:
    """For each token of `records` its number in the reference's vocabulary, or -1. int32 [len(records)]."""
    return np.array([reference.get(w, -1) for w in records.words()], np.int32)


def inverse_document_frequency(frequency: NDArray[Any], documents: int) -> NDArray[np.float32]:
    """Smoothed idf, `ln((N + 1) / (df + 0.5))`, never below 0.05 so that a word in every name still counts a little."""
    return np.maximum(np.log((documents + 1) / (frequency + 0.5)), 0.05).astype(np.float32)
