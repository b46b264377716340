"""The retrieval index: the reference master in the arrays that searching and featurising need, memory-mapped from disk.

A reference has one *variant* for its title and one for each alias; a search returns each reference by its best variant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.files import write_json
from matching.master import comparable
from matching.names import ParsedName, parse_name
from matching.records import ATTRIBUTES
from matching.retrieval.encoder import Encoder, quantise
from matching.vocabulary import NameTable, Vocabulary, inverse_document_frequency, known_as

ARRAYS = (
    "variant_reference", "variant_norm", "variant_namesakes", "name_tokens", "name_starts",
    "word_chars", "word_starts", "word_idf", "term_weight", "posting_starts", "postings",
    "variant_terms", "variant_term_starts", "codes", "scale", "legal_form", "share_class",
)  # fmt: skip
MISSING, UNSEEN = -1, -2
LOAD_THREADS = 2
LEAST_BUDGET, BUDGET_SHARE = 4096, 64


@dataclass(frozen=True)
class Found:
    """Candidates of n records. All [n, k], best first; variant -1 where there are fewer than k."""

    variant: NDArray[np.int32]
    reference: NDArray[np.int32]
    score: NDArray[np.float32]
    lexical: NDArray[np.float32]
    embedding: NDArray[np.float32]


@dataclass(frozen=True)
class Queries:
    """Parsed records in columns. `known` numbers their tokens in the reference's vocabulary."""

    names: list[ParsedName]
    table: NameTable
    known: NDArray[np.int32]
    terms: NDArray[np.int32]
    term_starts: NDArray[np.int64]


@dataclass(frozen=True)
class RetrievalIndex:
    """See the module. `master` holds reference_id, name and all the other columns, one row for each reference."""

    master: pl.DataFrame
    arrays: dict[str, NDArray[Any]]
    attributes: dict[str, list[str]]
    legal_forms: list[str]
    encoder: Encoder | None = field(default=None)

    @classmethod
    def build(
        cls, master: pl.DataFrame, encoder: Encoder | None, embeddings: NDArray[np.float32] | None = None
    ) -> RetrievalIndex:
        """Index a master. `embeddings` (float32 [variants, dim], see `variant_names`) saves computing them again."""
        from matching.retrieval import grams

        names, owner = variant_names(master)
        parsed = [parse_name(n) for n in names]
        table = NameTable.of(parsed)
        idf = inverse_document_frequency(table.document_frequency(), len(table))
        words = table.vocabulary
        bits = grams.table_bits(len(table))
        terms, starts = grams.all_terms(
            table.tokens, table.starts, words.chars, words.starts, bits, grams.REFERENCE, LOAD_THREADS
        )
        posting_starts, postings = grams.invert(terms, starts, grams.GRAMS + (2 << bits))
        frequency = np.diff(posting_starts[: grams.GRAMS + (1 << bits) + 1])  # of the scored terms
        weight = inverse_document_frequency(frequency, len(table))
        if embeddings is None:
            embeddings = encoder.embed_table(table, LOAD_THREADS) if encoder else np.zeros((len(names), 0), np.float32)
        codes, scale = quantise(embeddings)
        forms = sorted({p.legal_form for p in parsed})
        form_number = {f: i for i, f in enumerate(forms)}
        arrays: dict[str, NDArray[Any]] = {
            "variant_reference": owner,
            "variant_norm": grams.norms(terms, starts, weight),
            "variant_namesakes": _namesakes(parsed, owner),
            "name_tokens": table.tokens,
            "name_starts": table.starts,
            "word_chars": table.vocabulary.chars,
            "word_starts": table.vocabulary.starts,
            "word_idf": idf,
            "term_weight": weight,
            "posting_starts": posting_starts,
            "postings": postings,
            "variant_terms": terms,
            "variant_term_starts": starts,
            "codes": codes,
            "scale": scale,
            "legal_form": np.array([form_number[p.legal_form] if p.legal_form else MISSING for p in parsed], np.int32),
            "share_class": np.array([ord(p.share_class) if p.share_class else MISSING for p in parsed], np.int32),
        }
        values: dict[str, list[str]] = {}
        for attribute in (a for a in ATTRIBUTES if a in master.columns):
            compared = [comparable(attribute, v) for v in master[attribute]]
            values[attribute] = sorted({v for v in compared if v is not None})
            number = {v: i for i, v in enumerate(values[attribute])}
            arrays[f"attribute_{attribute}"] = np.array(
                [MISSING if v is None else number[v] for v in compared], np.int32
            )
        return cls(master, arrays, values, forms, encoder)

    @cached_property
    def word_number(self) -> dict[str, int]:
        """Token to its number in the reference's vocabulary."""
        words = Vocabulary(self.arrays["word_chars"], self.arrays["word_starts"]).words()
        return {w: i for i, w in enumerate(words)}

    @cached_property
    def attribute_number(self) -> dict[str, dict[str, int]]:
        """For each attribute of the reference, its comparable values and their numbers."""
        return {a: {v: i for i, v in enumerate(values)} for a, values in self.attributes.items()}

    @cached_property
    def reference_ids(self) -> NDArray[np.object_]:
        """Ids by reference number."""
        return self.master["reference_id"].to_numpy().astype(object)

    @cached_property
    def reference_number(self) -> dict[str, int]:
        """Reference number by id, merged ids included."""
        number = {str(r): i for i, r in enumerate(self.reference_ids)}
        for i, merged in enumerate(self.master["merged_ids"].to_list() if "merged_ids" in self.master.columns else []):
            number.update(dict.fromkeys(merged or [], i))
        return number

    def queries(self, names: Sequence[str | None]) -> Queries:
        """Parse names and number their tokens."""
        from matching.retrieval import grams

        parsed = [parse_name(n) for n in names]
        table = NameTable.of(parsed)
        known = known_as(table.vocabulary, self.word_number)
        words = table.vocabulary
        bits = (len(self.arrays["term_weight"]) - grams.GRAMS).bit_length() - 1
        terms, starts = grams.all_terms(table.tokens, table.starts, words.chars, words.starts, bits, grams.RECORD, 1)
        return Queries(parsed, table, known, terms, starts)

    def search(self, queries: Queries, top_k: int = 50, with_embedding: bool = True) -> Found:
        """The best `top_k` references of each query; lexical only when embeddings are switched off or absent."""
        from matching.retrieval.search import search

        a = self.arrays
        dim = a["codes"].shape[1] if with_embedding and self.encoder is not None else 0
        threads = min(LOAD_THREADS, max(len(queries.names), 1))
        vectors = (
            self.encoder.embed_table(queries.table, threads)
            if dim and self.encoder
            else np.zeros((len(queries.names), 0), np.float32)
        )
        codes, scale = quantise(vectors)
        top_k = min(top_k, self.master.height)
        variant, score, lexical, embedding = search(
            queries.terms, queries.term_starts, codes, scale, a["term_weight"], a["posting_starts"], a["postings"],
            a["variant_terms"], a["variant_term_starts"], a["variant_norm"], a["variant_reference"],
            a["codes"][:, :dim], a["scale"], posting_budget(len(a["scale"])), top_k, threads,
        )  # fmt: skip
        reference = np.where(variant >= 0, a["variant_reference"][np.maximum(variant, 0)], -1).astype(np.int32)
        return Found(variant, reference, score, lexical, embedding)

    def save(self, folder: Path) -> None:
        """Write the arrays as `.npy`, the master as `reference.parquet`, the dictionaries as `index.json`.

        The encoder is saved apart.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self.arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        self.master.write_parquet(folder / "reference.parquet")
        write_json(folder / "index.json", {"attributes": self.attributes, "legal_forms": self.legal_forms})

    @classmethod
    def load(cls, folder: Path, encoder: Encoder | None) -> RetrievalIndex:
        """Load an index with its arrays memory-mapped, so that processes on one machine share them."""
        known = json.loads((folder / "index.json").read_text())
        names = [*ARRAYS, *(f"attribute_{a}" for a in known["attributes"])]
        # Copy-on-write: shared as long as nobody writes, and of a fresh array's type, so kernels compile once.
        arrays = {n: np.load(folder / f"{n}.npy", mmap_mode="c", allow_pickle=False) for n in names}
        return cls(
            pl.read_parquet(folder / "reference.parquet"), arrays, known["attributes"], known["legal_forms"], encoder
        )


def variant_names(master: pl.DataFrame) -> tuple[list[str], NDArray[np.int32]]:
    """The names that stand for each reference, all titles first, then aliases: (names, reference number of each)."""
    names = master["name"].to_list()
    owner = list(range(len(names)))
    if "aliases" in master.columns:
        for number, aliases in enumerate(master["aliases"].to_list()):
            for alias in aliases or []:
                names.append(alias)
                owner.append(number)
    return names, np.array(owner, np.int32)


def posting_budget(variants: int) -> int:
    """How many postings are read for one record: more would cost time and find no more."""
    return LEAST_BUDGET + variants // BUDGET_SHARE


def _namesakes(parsed: Sequence[ParsedName], owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each variant, how many other references have a variant with the same core."""
    holders: dict[str, set[int]] = {}
    for name, reference in zip(parsed, owner.tolist(), strict=True):
        holders.setdefault(name.core, set()).add(reference)
    return np.array([len(holders[p.core]) - 1 for p in parsed], np.int32)
