"""The fused search against brute force, and that a record finds the same in whatever company it is asked."""

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from matching.master import build_reference_master
from matching.names import ParsedName, parse_name
from matching.retrieval.encoder import quantise
from matching.retrieval.grams import HASH_START, hashed, slot, table_bits
from matching.retrieval.index import Found, RetrievalIndex, variant_names
from matching.retrieval.search import NEAR

BEGINNINGS = ("Ibex", "Ibis", "Pacific", "Capital", "Capitol", "Sun", "Sunday", "Gas")
ENDINGS = (
    "Trust",
    "Mining",
    "Electrical",
    "Machine Tools",
    "Onex",
    "Oil",
    "Finance",
    "Power",
    "Foods",
    "Media",
    "Steel",
)
ODD_NAMES = ["", "\U0001f600", "of the", "x" * 300, "Qxqxqx", "Abbott " * 30]


@pytest.fixture(scope="module")
def index(small_scorer) -> RetrievalIndex:
    return small_scorer.index


@pytest.fixture(scope="module")
def names(small_frames) -> list[str]:
    return [*small_frames.records["name"].head(30), *ODD_NAMES]


def search(index: RetrievalIndex, names: list[str], top_k: int = 10, with_embedding: bool = True) -> Found:
    return index.search(index.queries(names), top_k, with_embedding)


def rows(found: Found) -> list[bytes]:
    """What was found for each record, as bytes."""
    arrays = (found.variant, found.score, found.lexical, found.embedding)
    return [b"".join(a[i].tobytes() for a in arrays) for i in range(len(found.variant))]


def small_index(titles: dict[str, str], aliases: list[tuple[str, str]] = []) -> RetrievalIndex:  # noqa: B006 - read only
    reference = pl.DataFrame({"reference_id": list(titles), "name": list(titles.values())})
    known = pl.DataFrame(aliases, schema={"reference_id": pl.String, "alias": pl.String}, orient="row")
    return RetrievalIndex.build(build_reference_master(reference, known), None)


def found_ids(index: RetrievalIndex, name: str, top_k: int = 10) -> list[str]:
    reference = search(index, [name], top_k).reference[0]
    return index.reference_ids[reference[reference >= 0]].tolist()


# The same in any company


def test_a_record_has_the_same_candidates_alone_and_in_a_batch(index, names) -> None:
    batch = rows(search(index, names))
    assert [rows(search(index, [name]))[0] for name in names] == batch


def test_a_record_has_the_same_candidates_in_one_part_and_in_several(index, names, monkeypatch) -> None:
    found = []
    for most in (1000, 3):
        monkeypatch.setattr("matching.retrieval.index.SEARCHED", most)
        found.append(rows(search(index, names)))
    assert found[0] == found[1]


def test_an_index_that_was_built_finds_what_the_one_on_disk_finds(index, names) -> None:
    built = RetrievalIndex.build(index.master, index.encoder)
    assert rows(search(built, names)) == rows(search(index, names))


def test_an_index_is_saved_and_loaded_without_loss(tmp_path: Path) -> None:
    index = small_index({"a": "Zenith Inc", "b": "Northolt AG Class B"}, [("a", "Summit Corp")])
    index.save(tmp_path)
    loaded = RetrievalIndex.load(tmp_path, None)
    assert loaded.master.equals(index.master)
    assert (loaded.legal_forms, loaded.attributes) == (index.legal_forms, index.attributes)
    for name, array in index.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)


# Against brute force


def lexical_terms(name: ParsedName, bits: int) -> set[str | int]:
    """Trigrams, and words and words written as one by the places of their hashes."""
    grams = {f" {w} "[i : i + 3] for w in name.tokens for i in range(len(w))}
    joined = {a + b for a, b in zip(name.tokens, name.tokens[1:], strict=False)}
    hashes = (hashed(np.frombuffer(w.encode(), np.uint8), HASH_START) for w in joined.union(name.tokens))
    return grams | {slot(h, 0, bits) for h in hashes}


def cosines(index: RetrievalIndex, names: list[str]) -> np.ndarray:
    """TF-IDF cosine of each name with each variant by dictionaries and dense vectors. float64 [names, variants]."""
    variants = [parse_name(n) for n in variant_names(index.master)[0]]
    bits = table_bits(len(variants))
    of_variant = [lexical_terms(v, bits) for v in variants]
    of_name = [lexical_terms(parse_name(n), bits) for n in names]
    column = {term: i for i, term in enumerate(sorted(set().union(*of_variant, *of_name), key=str))}
    present = np.zeros((len(variants) + len(names), len(column)))
    for row, terms in enumerate([*of_variant, *of_name]):
        present[row, [column[t] for t in terms]] = 1
    frequency = present[: len(variants)].sum(axis=0)
    weighted = present * np.maximum(np.log((len(variants) + 1) / (frequency + 0.5)), 0.05)
    unit = weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-12)
    return unit[len(variants) :] @ unit[: len(variants)].T


def test_lexical_similarity_is_the_cosine_of_trigrams_and_words(index, names) -> None:
    names = [n for n in names if len(n) < 250]  # of longer words not all trigrams are read
    found, brute = search(index, names), cosines(index, names)
    row, place = np.nonzero(found.variant >= 0)
    np.testing.assert_allclose(found.lexical[row, place], brute[row, found.variant[row, place]], atol=1e-5)


def test_lexical_search_finds_the_references_of_the_highest_cosines(index, names) -> None:
    names = [n for n in names if len(n) < 250]
    found, brute = search(index, names, with_embedding=False), cosines(index, names)
    by_reference = np.zeros((len(names), index.master.height))
    np.maximum.at(by_reference.T, index.arrays["variant_reference"], brute.T)
    best = -np.sort(-by_reference, axis=1)[:, :10]
    np.testing.assert_allclose(found.score, best, atol=1e-5)


def test_embedding_similarity_is_the_cosine_of_the_vectors(index, names) -> None:
    found = search(index, names)
    variants = index.encoder.embed(variant_names(index.master)[0])
    row, place = np.nonzero(found.variant >= 0)
    exact = (index.encoder.embed(names)[row] * variants[found.variant[row, place]]).sum(axis=1)
    np.testing.assert_allclose(found.embedding[row, place], exact, atol=0.02)  # eight bits a number


def test_a_name_without_a_known_trigram_finds_the_nearest_vectors(index) -> None:
    found = search(index, ["Qxqxqx"])
    assert not found.lexical.any()
    codes, _ = quantise(index.encoder.embed(["Qxqxqx"]))
    near = (index.arrays["codes"].astype(np.int32) @ codes[0].astype(np.int32)) * index.arrays["scale"]
    assert found.variant[0].tolist() == np.argsort(-near, kind="stable")[:5].tolist() + [-1] * 5


# What a list of candidates is


def test_candidates_come_best_first_by_both_similarities(index, names) -> None:
    found = search(index, names)
    there = found.variant >= 0
    np.testing.assert_allclose(found.score[there], (found.lexical + NEAR * found.embedding)[there], atol=1e-6)
    assert (np.diff(np.where(there, found.score, -9), axis=1) <= 0).all()


def test_equal_scores_are_in_the_order_of_the_reference() -> None:
    index = small_index(dict.fromkeys("dbca", "Zenith Copper"))
    assert found_ids(index, "Zenith Copper") == ["a", "b", "c", "d"]
    assert found_ids(index, "Zenith Copper", top_k=2) == ["a", "b"]


def test_a_reference_is_found_once_by_its_best_name() -> None:
    index = small_index({"a": "Zenith Copper", "b": "Northolt"}, [("a", "Zenith Copper Mining"), ("a", "Zenith")])
    found = search(index, ["Zenith Copper Mining"])
    assert (found.reference[0, 0], found.lexical[0, 0]) == (0, pytest.approx(1.0))
    assert found_ids(index, "Zenith Copper Mining") == ["a"]


def test_an_alias_finds_its_reference(index) -> None:
    assert found_ids(index, "ALLEN AIRCRAFT RADIO")[0] == "CIK0000001750"


def test_an_alias_that_is_the_name_of_another_finds_both() -> None:
    index = small_index({"a": "Zenith Inc", "b": "Northolt AG"}, [("b", "Zenith Corp")])
    assert found_ids(index, "Zenith") == ["a", "b"]
    assert index.arrays["variant_namesakes"].tolist() == [1, 0, 1]


def crowded(titles: dict[str, str]) -> RetrievalIndex:
    """An index where everything else begins as the names of the tests do."""
    return small_index(titles | {f"x{i:03}": f"{b} {w}" for i, (b, w) in enumerate(product(BEGINNINGS, ENDINGS))})


@pytest.mark.parametrize(
    ("record", "title"),
    [
        ("IBM", "International Business Machines Corp"),
        ("Ibm Corporation Common Stock", "International Business Machines Corp"),
        ("Pacific Gas & Electric Co.", "PG&E Corp"),
        ("SunTrust", "Sun Trust Financial"),
        ("Sun Trust Financial", "SunTrust"),
    ],
)
def test_initials_and_joined_words_find_the_name_they_stand_for(record: str, title: str) -> None:
    assert "right" in found_ids(crowded({"right": title}), record)


def test_an_equal_name_is_found_though_hardly_a_posting_may_be_read(monkeypatch) -> None:
    monkeypatch.setattr("matching.retrieval.index.posting_budget", lambda variants: 1)
    assert found_ids(crowded({"right": "Pacific Trust Mining"}), "PACIFIC TRUST MINING INC")[0] == "right"


@pytest.mark.parametrize("name", ["", None, "\U0001f600"])
def test_a_name_without_words_finds_nothing(index, name: str | None) -> None:
    assert found_ids(index, name) == []


def test_more_candidates_than_references_cannot_be_had() -> None:
    assert search(small_index({"a": "Zenith", "b": "Zenith Copper"}), ["Zenith"], 50).variant.shape == (1, 2)


def test_no_records_find_nothing(index) -> None:
    assert search(index, []).variant.shape == (0, 10)


def test_a_merged_id_leads_to_the_row_that_stayed() -> None:
    lei = "529900T8BM49AURSDO55"
    reference = pl.DataFrame({"reference_id": ["a", "b"], "name": ["Zenith", "Zenith"], "lei": [lei, lei]})
    index = RetrievalIndex.build(build_reference_master(reference), None)
    assert index.reference_number == {"a": 0, "b": 0}


def test_attributes_are_numbered_by_what_can_be_compared() -> None:
    reference = pl.DataFrame(
        {"reference_id": ["a", "b", "c"], "name": ["x", "y", "z"], "country": ["Germany", "DE", None]}
    )
    index = RetrievalIndex.build(build_reference_master(reference), None)
    assert index.arrays["attribute_country"].tolist() == [0, 0, -1]
    assert index.attributes == {"country": ["de"]}
