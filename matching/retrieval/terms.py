"""Lexical terms of tables of names, by `matching.retrieval.grams`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matching.parallel import each, spans
from matching.vocabulary import NameTable

PART = 1 << 15  # names that are worked on at a time


def terms_of(table: NameTable, bits: int, whose: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The terms of every name: (int32 flat, int64 [n + 1]).

    bits: see `grams.table_bits`. whose: grams.WORDS, REFERENCE or RECORD.
    """
    from matching.retrieval.grams import all_terms

    words = table.vocabulary

    def of(span: tuple[int, int]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        starts = table.starts[span[0] : span[1] + 1]
        terms, ends = all_terms(table.tokens, starts, words.chars, words.starts, bits, whose)
        return terms, ends

    parts = list(each(of, spans(len(table), PART)))
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(terms) for terms, _ in parts)])
    ends = [ends[1:] + first for (_, ends), first in zip(parts, before, strict=False)]
    return np.concatenate([terms for terms, _ in parts]), np.concatenate([[0], *ends])
