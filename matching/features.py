"""Pair features, declared as data: a name, what it says, the reason group that explains it, the direction if known.

The order of `FEATURES` is the order of the columns of every feature matrix. Groups are a partition: each feature
belongs to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.parallel import each, spans
from matching.priors import PRIOR_ATTRIBUTES, PriorTables, forms_of
from matching.records import ATTRIBUTES
from matching.retrieval.index import MISSING, UNSEEN, Found, Queries, RetrievalIndex


@dataclass(frozen=True)
class Feature:
    """One column.

    monotone: 1 when a higher value can only speak for the pair, -1 when only against it, 0 when that is not known.
    """

    name: str
    description: str
    reason_group: str
    monotone: int = 0


NAME_FEATURES = (
    Feature("same_name", "1 when both names have the same words in the same order", "name_words", 1),
    Feature("record_cover", "share of the record's words, by rarity, that stand in the reference", "name_words", 1),
    Feature("reference_cover", "share of the reference's words, by rarity, that stand in the record", "name_words", 1),
    Feature("exact_cover", "share of the record's words, by rarity, that stand there to the letter", "name_words", 1),
    Feature("first_word", "how well the first words agree", "name_words", 1),
    Feature("letters", "similarity of spelling of the names without spaces (optimal string alignment)", "spelling", 1),
    Feature("common_start", "share of the shorter name that both begin with", "spelling", 1),
    Feature("rarest_shared", "idf of the rarest word that both have", "rare_words", 1),
    Feature("rarest_lost_record", "idf of the record's rarest word that the reference lacks", "unmatched_words", -1),
    Feature("rarest_lost_reference", "idf of the reference's rarest word that the record lacks", "unmatched_words", -1),
    Feature("record_words", "number of words of the record", "name_length"),
    Feature("reference_words", "number of words of the reference", "name_length"),
    Feature("abbreviated", "share of the record's words, by rarity, that abbreviate another", "abbreviation"),
    Feature("misspelt", "share of the record's words, by rarity, that are spelt almost as there", "spelling"),
    Feature("joined", "share of the record's words, by rarity, that are several in one, or initials", "abbreviation"),
    Feature("numbers", "1 when all numbers agree, -1 when they do not, 0 without numbers", "numbers", 1),
    Feature("legal_form", "1 same legal form, -1 another, 0 missing", "legal_form"),
    Feature("share_class", "1 same share class, -1 another, 0 missing", "share_class", 1),
    Feature("truncated", "1 when the record's name may have been cut by its feed", "name_length"),
    Feature("namesakes", "how many other references have the same name (at most 9)", "uniqueness", -1),
    Feature("by_alias", "1 when an alias matched and not the title", "alias"),
)  # fmt: skip
ATTRIBUTE_GROUPS = {
    "country": "geography", "state": "geography", "city": "geography", "postal_code": "geography", "website": "website",
    "sector": "industry", "industry": "industry", "exchange": "listing", "currency": "listing",
}  # fmt: skip
ATTRIBUTE_FEATURES = tuple(
    Feature(f"same_{a}", f"1 same {a.replace('_', ' ')}, -1 another, 0 missing", ATTRIBUTE_GROUPS[a], 1)
    for a in ATTRIBUTES
)
RETRIEVAL_FEATURES = (
    Feature("lexical", "cosine of the names' trigrams and words", "spelling", 1),
    Feature("embedding", "cosine of the names' learned vectors", "meaning", 1),
)
# What the other candidates of the record say: a pair that is good but no better than the next is no match.
CONTEXT_FEATURES = (
    Feature("lexical_lead", "lead in trigram and word cosine over the best other candidate", "lead", 1),
    Feature("cover_lead", "lead in word coverage both ways over the best other candidate", "lead", 1),
    Feature("embedding_lead", "lead in learned similarity over the best other candidate", "lead", 1),
    Feature("rivals", "how many other candidates have exactly the record's words (at most 9)", "uniqueness", -1),
    Feature("coverers", "how many other candidates have the record's words as well (at most 9)", "uniqueness", -1),
)
# Where the record comes from, what the reference is, and how the two go together; see matching.priors.
PRIOR_FEATURES = (
    *(
        Feature(f"{a}_prior", f"log-odds that records of the same {a} have their entity in the reference", "origin", 1)
        for a in PRIOR_ATTRIBUTES
    ),
    Feature("standing", "log-ratio: how often references of this kind are the right one", "standing", 1),
    *(
        Feature(f"{a}_fit", f"log-ratio: how often records of this {a} belong to references of that one", "fit", 1)
        for a in PRIOR_ATTRIBUTES
    ),
)
FEATURES: tuple[Feature, ...] = (
    NAME_FEATURES + ATTRIBUTE_FEATURES + RETRIEVAL_FEATURES + CONTEXT_FEATURES + PRIOR_FEATURES
)
FEATURE_NAMES = tuple(f.name for f in FEATURES)
CANDIDATE_SCHEMA = {
    "record_id": pl.String, "reference_id": pl.String, "rank": pl.Int32, "score": pl.Float32,
    "lexical": pl.Float32, "embedding": pl.Float32, "variant": pl.Int32,
}  # fmt: skip
PART = 1 << 16  # pairs that are compared at a time
_COLUMN = {name: i for i, name in enumerate(FEATURE_NAMES)}
_READ = np.array([_COLUMN[f] for f in ("same_name", "record_cover", "reference_cover", "lexical", "embedding")])
_CONTEXT = np.array([_COLUMN[f.name] for f in CONTEXT_FEATURES])
AS_GOOD, MOST_RIVALS = 0.02, 9  # a coverage that is less below is as good; more rivals are not counted


def retrieve(
    index: RetrievalIndex, records: pl.DataFrame, top_k: int = 50, with_embedding: bool = True
) -> pl.DataFrame:
    """Candidates of records (record_id, name), best first: the columns of CANDIDATE_SCHEMA.

    `score` is what `matching.retrieval.search` orders by: `lexical` and a share of `embedding`; `variant` is the
    index's number of the name found.
    """
    found = index.search(index.queries(records["name"].to_list()), top_k, with_embedding)
    row, column = np.nonzero(found.variant >= 0)
    return pl.DataFrame(
        {
            "record_id": records["record_id"].gather(row),
            "reference_id": pl.Series(index.reference_ids[found.reference[row, column]], dtype=pl.String),
            "rank": (column + 1).astype(np.int32),
            "score": found.score[row, column],
            "lexical": found.lexical[row, column],
            "embedding": found.embedding[row, column],
            "variant": found.variant[row, column],
        },
        schema=CANDIDATE_SCHEMA,
    )


def pair_features(index: RetrievalIndex, records: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """The features of candidates as `retrieve` gives them.

    Returns record_id, reference_id, rank, score, then a Float32 column for each feature. All candidates of a record
    must be there, best rank first, because some features compare a candidate with the others.
    """
    position = {r: i for i, r in enumerate(records["record_id"])}
    owner = np.array([position[r] for r in candidates["record_id"]], np.int32)
    queries = index.queries(records["name"].to_list())
    order = np.argsort(owner, kind="stable")  # candidates of a table may come in any order of records
    variant, lexical, embedding = (candidates[c].to_numpy()[order] for c in ("variant", "lexical", "embedding"))
    matrix = np.empty((len(owner), len(FEATURES)), np.float32)
    matrix[order] = feature_matrix(index, queries, records, owner[order], variant, lexical, embedding)
    return candidates.select("record_id", "reference_id", "rank", "score").hstack(
        pl.DataFrame(matrix, schema=list(FEATURE_NAMES))
    )


def flatten(found: Found) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Pairs of a search in row order: record number, variant, lexical, embedding."""
    row, column = np.nonzero(found.variant >= 0)
    return row.astype(np.int32), found.variant[row, column], found.lexical[row, column], found.embedding[row, column]


def feature_matrix(
    index: RetrievalIndex, queries: Queries, records: pl.DataFrame,
    owner: NDArray[np.int32], variant: NDArray[np.int32], lexical: NDArray[np.float32], embedding: NDArray[np.float32],
    priors: PriorTables | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """float32 [pairs, len(FEATURES)]. owner: number of each pair's record, ascending; variant: of its reference.

    Without `priors` PRIOR_FEATURES are 0; training fills them in out of fold.
    """
    from matching.alignment import name_features
    from matching.names import MAX_TOKENS, flag_bits

    a = index.arrays
    out = np.zeros((len(owner), len(FEATURES)), np.float32)
    table = queries.table
    idf = a["word_idf"]
    record_idf = np.full(len(queries.known), index.rarest)  # also of words that it does not have
    seen = np.flatnonzero(queries.known >= 0)
    record_idf[seen] = idf[queries.known[seen]]
    forms = np.array([*(index.legal_form_number.get(f, UNSEEN) for f in table.forms), MISSING], np.int32)[table.form]
    cut = (table.flags & flag_bits(["truncated"]) != 0).astype(np.float32)

    def compare(span: tuple[int, int]) -> None:
        part = slice(*span)
        name_features(
            owner[part], variant[part],
            table.tokens, table.starts, table.vocabulary.chars, table.vocabulary.starts, queries.known, record_idf,
            a["name_tokens"], a["name_starts"], a["word_chars"], a["word_starts"], idf,
            forms, a["legal_form"], table.share_class, a["share_class"], cut, a["variant_namesakes"],
            index.master.height, MAX_TOKENS, out[part],
        )  # fmt: skip

    for _ in each(compare, spans(len(owner), PART)):
        pass
    reference = a["variant_reference"][variant]
    forms_of_records = forms_of(records)
    for feature, attribute in zip(ATTRIBUTE_FEATURES, ATTRIBUTES, strict=True):
        if attribute in forms_of_records and attribute in index.attributes:
            theirs = a[f"attribute_{attribute}"][reference]
            ours = _codes(index.attribute_number[attribute], forms_of_records[attribute])[owner]
            agree = np.where(ours == theirs, 1, -1)
            agree[(ours == MISSING) | (theirs == MISSING)] = 0
            out[:, _COLUMN[feature.name]] = agree
    out[:, _COLUMN["lexical"]] = lexical
    out[:, _COLUMN["embedding"]] = embedding
    compare_candidates(owner, out)
    if priors is not None:
        first = _COLUMN[PRIOR_FEATURES[0].name]
        out[:, first : first + len(PRIOR_FEATURES)] = priors.columns(forms_of_records, owner, reference)
    return out


def compare_candidates(owner: NDArray[np.int32], pairs: NDArray[np.float32]) -> None:
    """Fill in CONTEXT_FEATURES of pairs (float32 [n, features]) from their other features. owner: ascending."""
    from matching.context_kernels import compare_candidates

    compare_candidates(owner, pairs, _READ, _CONTEXT, AS_GOOD, MOST_RIVALS)


def _codes(number: dict[str, int], forms: Sequence[str | None]) -> NDArray[np.int32]:
    return np.array([MISSING if form is None else number.get(form, UNSEEN) for form in forms], np.int32)
