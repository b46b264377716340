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
from matching.name_reader import NameReader, places, take
from matching.parallel import each, spans
from matching.records import ATTRIBUTES, read_own
from matching.retrieval.encoder import Encoder, quantise
from matching.retrieval.terms import terms_of
from matching.vocabulary import NameTable, Vocabulary, inverse_document_frequency, known_as

ARRAYS = (
    "variant_reference", "variant_norm", "variant_namesakes", "name_tokens", "name_starts",
    "word_chars", "word_starts", "word_idf", "term_weight", "posting_starts", "postings",
    "variant_terms", "variant_term_starts", "codes", "scale", "legal_form", "share_class",
)  # fmt: skip
MISSING, UNSEEN = -1, -2
PART = 1 << 15  # names
SEARCHED = 1 << 10  # records
LEAST_BUDGET, BUDGET_SHARE = 4096, 256


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
    """Parsed records in columns. `known` numbers the words of `table` in the reference's vocabulary."""

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
        cls,
        master: pl.DataFrame,
        encoder: Encoder | None,
        embeddings: NDArray[np.float32] | None = None,
        names: NameReader | None = None,
        earlier: RetrievalIndex | None = None,
    ) -> RetrievalIndex:
        """Index a master. `embeddings` (float32 [variants, dim], see `variant_names`) saves computing them again.

        `names` reads the names, and need not read those again that the master has read with it. `earlier`, an index
        with the same encoder, has the vectors of the names that it knows. The result is the same without either.
        """
        from matching.retrieval import grams

        texts, owner = variant_names(master)
        table = (names or NameReader()).read(texts)
        idf = inverse_document_frequency(table.document_frequency(), len(table))
        bits = grams.table_bits(len(table))
        terms, starts = terms_of(table, bits, grams.REFERENCE)
        posting_starts, postings = grams.invert(terms, starts, grams.GRAMS + (2 << bits))
        frequency = np.diff(posting_starts[: grams.GRAMS + (1 << bits) + 1])  # of the scored terms
        weight = inverse_document_frequency(frequency, len(table))
        if embeddings is None and encoder is not None:
            codes, scale = _codes_known_from(earlier, encoder, texts, table)
        else:
            codes, scale = quantise(np.zeros((len(table), 0), np.float32) if embeddings is None else embeddings)
        arrays: dict[str, NDArray[Any]] = {
            "variant_reference": owner,
            "variant_norm": grams.norms(terms, starts, weight),
            "variant_namesakes": namesakes(table, owner),
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
            "legal_form": table.form,
            "share_class": table.share_class,
        }
        values: dict[str, list[str]] = {}
        for attribute in (a for a in ATTRIBUTES if a in master.columns):
            compared = {v: comparable(attribute, v) for v in master[attribute].unique().to_list()}
            values[attribute] = sorted({v for v in compared.values() if v is not None})
            number = {None: MISSING} | {v: i for i, v in enumerate(values[attribute])}
            arrays[f"attribute_{attribute}"] = np.array(
                [number[compared[v]] for v in master[attribute].to_list()], np.int32
            )
        return cls(master, arrays, values, table.forms, encoder)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the reference."""
        return Vocabulary(self.arrays["word_chars"], self.arrays["word_starts"])

    @cached_property
    def rarest(self) -> np.float32:
        """The idf of the rarest word of the reference, at least 1."""
        return np.float32(self.arrays["word_idf"].max(initial=1.0))

    @cached_property
    def legal_form_number(self) -> dict[str, int]:
        """The legal forms of the reference and their numbers."""
        return {form: i for i, form in enumerate(self.legal_forms)}

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

    def reader(self) -> NameReader:
        """A reader that knows the names of this index."""
        a = self.arrays
        table = NameTable(
            self.vocabulary, a["name_tokens"], a["name_starts"], a["legal_form"], self.legal_forms, a["share_class"],
            np.zeros(len(a["legal_form"]), np.uint16),  # flags are of no use to an index
        )  # fmt: skip
        return NameReader(variant_names(self.master)[0], table)

    def queries(self, names: Sequence[str | None]) -> Queries:
        """Parse names and number their tokens."""
        from matching.retrieval import grams

        table = NameTable.of(names)
        known = known_as(table.vocabulary, self.vocabulary)
        bits = (len(self.arrays["term_weight"]) - grams.GRAMS).bit_length() - 1
        terms, starts = terms_of(table, bits, grams.RECORD)
        return Queries(table, known, terms, starts)

    def search(self, queries: Queries, top_k: int = 50, with_embedding: bool = True) -> Found:
        """The best `top_k` references of each query; lexical only when embeddings are switched off or absent."""
        from matching.retrieval.search import search

        a = self.arrays
        dim = a["codes"].shape[1] if with_embedding and self.encoder is not None else 0
        codes = a["codes"] if dim else np.zeros((len(a["scale"]), 0), np.int8)
        top_k = min(top_k, self.master.height)

        def find(span: tuple[int, int]) -> tuple[NDArray[Any], ...]:
            first, last = span
            vectors = (
                self.encoder.embed_table(queries.table.rows(first, last))
                if dim and self.encoder
                else np.zeros((last - first, 0), np.float32)
            )
            found: tuple[NDArray[Any], ...] = search(
                queries.terms, queries.term_starts[first : last + 1], *quantise(vectors),
                a["term_weight"], a["posting_starts"], a["postings"],
                a["variant_terms"], a["variant_term_starts"], a["variant_norm"], a["variant_reference"],
                codes, a["scale"], posting_budget(len(a["scale"])), top_k,
            )  # fmt: skip
            return found

        parts = list(each(find, spans(len(queries.table), SEARCHED)))
        variant, score, lexical, embedding = map(np.concatenate, zip(*parts, strict=True)) if parts[1:] else parts[0]
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
        arrays = {n: np.asarray(np.load(folder / f"{n}.npy", mmap_mode="c", allow_pickle=False)) for n in names}
        return cls(read_own(folder / "reference.parquet"), arrays, known["attributes"], known["legal_forms"], encoder)


def variant_names(master: pl.DataFrame) -> tuple[pl.Series, NDArray[np.int32]]:
    """The names that stand for each reference, all titles first, then aliases: (names, reference number of each)."""
    names, owner = master["name"], np.arange(master.height, dtype=np.int32)
    if "aliases" in master.columns:
        counts = master["aliases"].list.len().fill_null(0).to_numpy()
        aliases = master.filter(pl.col("aliases").list.len() > 0)["aliases"].explode()
        names, owner = pl.concat([names, aliases]), np.r_[owner, np.repeat(owner, counts)]
    return names, owner


def posting_budget(variants: int) -> int:
    """How many postings are read for one record: more would cost time and find no more."""
    return LEAST_BUDGET + variants // BUDGET_SHARE


def vector_codes(encoder: Encoder, names: NameTable) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Vectors of names as `quantise` gives them, PART names at a time: all of them would take four times the room."""
    parts = list(each(lambda span: quantise(encoder.embed_table(names.rows(*span))), spans(len(names), PART)))
    return np.concatenate([codes for codes, _ in parts]), np.concatenate([scale for _, scale in parts])


def _codes_known_from(
    earlier: RetrievalIndex | None, encoder: Encoder, texts: pl.Series, table: NameTable
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`vector_codes` of names, of which those that `earlier` has are taken from there."""
    if earlier is None or earlier.encoder is not encoder:
        return vector_codes(encoder, table)
    place = places(texts, variant_names(earlier.master)[0])
    fresh = np.flatnonzero(place < 0)
    codes, scale = earlier.arrays["codes"][place], earlier.arrays["scale"][place]
    codes[fresh], scale[fresh] = vector_codes(encoder, take(table, fresh))
    return codes, scale


def namesakes(names: NameTable, owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each variant, how many other references have a variant with the same core. int32 [variants]."""
    core = names.same_core()
    holders = np.unique(core * (int(owner.max(initial=0)) + 1) + owner) // (int(owner.max(initial=0)) + 1)
    return (np.bincount(holders, minlength=len(core))[core] - 1).astype(np.int32)
