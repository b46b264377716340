"""Each declared feature on a pair made for it, and what must hold of all of them."""

import numpy as np
import polars as pl
import pytest

from matching.features import (
    ATTRIBUTE_FEATURES,
    FEATURE_NAMES,
    FEATURES,
    compare_candidates,
    feature_matrix,
    pair_features,
    retrieve,
)
from matching.master import build_reference_master
from matching.records import ATTRIBUTES
from matching.retrieval.index import RetrievalIndex

# Nine names of their own words: so every word of a pair is as rare as a word that the reference has never seen.
FILLER = [f"{w} {w}ish" for w in ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "isle")]
IDF = float(np.log(11 / 1.5))


def pairs_of(record: dict[str, str | None], *references: dict[str, str | None], **options: object) -> pl.DataFrame:
    """The features of one record with each of the given references and aliases, best first."""
    given = [{"reference_id": f"r{i}", **r} for i, r in enumerate(references)]
    filler = [{"reference_id": f"z{i}", "name": n} for i, n in enumerate(FILLER[len(references) - 1 :])]
    master = build_reference_master(pl.from_dicts([*given, *filler], infer_schema_length=None), options.get("aliases"))
    index = RetrievalIndex.build(master, None)
    records = pl.DataFrame([{"record_id": "1", **record}])
    variants = np.flatnonzero(index.arrays["variant_reference"] < len(references)).astype(np.int32)
    given_similarity = np.asarray(options.get("similarity", [0.5] * len(variants)), np.float32)
    owner = np.zeros(len(variants), np.int32)
    queries = index.queries(records["name"].to_list())
    matrix = feature_matrix(index, queries, records, owner, variants, given_similarity, given_similarity / 2)
    return pl.DataFrame(matrix, schema=list(FEATURE_NAMES))


def value(feature: str, record: str, reference: str) -> float:
    return float(pairs_of({"name": record}, {"name": reference})[feature][0])


# Each feature by example


@pytest.mark.parametrize(
    ("feature", "record", "reference", "expected"),
    [
        ("same_name", "Zenith Copper", "ZENITH COPPER Inc", 1),
        ("same_name", "Copper Zenith", "Zenith Copper", 0),
        ("same_name", "Zenith", "Zenith Copper", 0),
        ("record_cover", "Zenith Gold", "Zenith Copper Mining", 1 / 2),
        ("record_cover", "Zenyth Copper", "Zenith Copper", ((5 / 6) ** 2 + 1) / 2),
        ("reference_cover", "Zenith Gold", "Zenith Copper Mining", 1 / 3),
        ("exact_cover", "Zenyth Copper", "Zenith Copper", 1 / 2),
        ("first_word", "Zenith Gold", "Zenith Copper", 1),
        ("first_word", "Zenyth Gold", "Zenith Copper", (5 / 6) ** 2),
        ("first_word", "Copper Zenith", "Zenith Copper", 0),
        ("letters", "Zenyth", "Zenith", 5 / 6),
        ("letters", "North West", "Northwest", 1),
        ("common_start", "Zenith Gold", "Zenith Copper", 6 / 10),
        ("common_start", "Zenith", "Zenith Copper", 1),
        ("rarest_shared", "Zenith Gold", "Zenith Copper", IDF),
        ("rarest_shared", "Zenith", "Copper", 0),
        ("rarest_lost_record", "Zenith Gold", "Zenith Copper", IDF),
        ("rarest_lost_record", "Zenith", "Zenith Copper", 0),
        ("rarest_lost_reference", "Zenith", "Zenith Copper", IDF),
        ("rarest_lost_reference", "Zenith Copper", "Zenith", 0),
        ("record_words", "Zenith Gold Inc", "Zenith", 2),
        ("reference_words", "Zenith", "Zenith Copper Mining Inc", 3),
        ("abbreviated", "Zenith Therapeu", "Zenith Therapeutics", 1 / 2),
        ("misspelt", "Zenyth Copper", "Zenith Copper", 1 / 2),
        ("joined", "Northwest", "North West", 1),
        ("joined", "ZCM", "Zenith Copper Mining", 1),
        ("numbers", "Fund II", "Fund 2", 1),
        ("numbers", "Fund II", "Fund III", -1),
        ("numbers", "Fund II", "Fund", -1),
        ("numbers", "Fund", "Fund", 0),
        ("legal_form", "Zenith Inc", "Zenith Incorporated", 1),
        ("legal_form", "Zenith Ltd", "Zenith Incorporated", -1),
        ("legal_form", "Zenith", "Zenith Incorporated", 0),
        ("share_class", "Zenith Inc Class A", "Zenith Inc CL A", 1),
        ("share_class", "Zenith Inc Class A", "Zenith Inc Class B", -1),
        ("share_class", "Zenith Inc Class A", "Zenith Inc", 0),
        ("truncated", "ZENITH COPPER MINING INTERNATIO", "Zenith", 1),
        ("truncated", "Zenith", "ZENITH COPPER MINING INTERNATIO", 0),
        ("namesakes", "Zenith", "Zenith", 0),
        ("by_alias", "Zenith", "Zenith", 0),
    ],
)
def test_a_feature_says_what_it_declares(feature: str, record: str, reference: str, expected: float) -> None:
    assert value(feature, record, reference) == pytest.approx(expected, abs=1e-6)


def test_an_alias_is_told_from_a_title() -> None:
    aliases = pl.DataFrame({"reference_id": ["r0"], "alias": ["Summit"]})
    pairs = pairs_of({"name": "Summit"}, {"name": "Zenith"}, aliases=aliases)
    assert pairs.select("by_alias", "same_name").rows() == [(0, 0), (1, 1)]


def test_namesakes_are_other_references_of_the_same_name_and_rivals_other_candidates_with_the_words() -> None:
    pairs = pairs_of({"name": "Zenith"}, {"name": "Zenith Inc"}, {"name": "Zenith AG"}, {"name": "Summit"})
    assert pairs["namesakes"].to_list() == [1, 1, 0]
    assert pairs["rivals"].to_list() == [1, 1, 2]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [("Germany", "germany", 1), ("Germany", "France", -1), (None, "France", 0), ("--", None, 0)],
)
def test_an_attribute_agrees_differs_or_is_missing(attribute: str, ours: str, theirs: str, expected: int) -> None:
    pairs = pairs_of({"name": "Zenith", attribute: ours}, {"name": "Zenith", attribute: theirs})
    assert pairs[f"same_{attribute}"][0] == expected
    others = [f.name for f in ATTRIBUTE_FEATURES if f.name != f"same_{attribute}"]
    assert not pairs.select(others).to_numpy().any()


def test_a_value_that_the_reference_never_has_differs() -> None:
    assert pairs_of({"name": "Zenith", "city": "Bonn"}, {"name": "Zenith", "city": "Kiel"})["same_city"][0] == -1


def test_an_attribute_that_is_a_number_is_compared_as_text() -> None:
    pairs = pairs_of({"name": "Zenith", "postal_code": 10115}, {"name": "Zenith", "postal_code": "10115"})
    assert pairs["same_postal_code"][0] == 1


def test_similarities_of_retrieval_are_passed_on_with_their_lead() -> None:
    pairs = pairs_of({"name": "Zenith"}, {"name": "Zenith"}, {"name": "Summit"}, similarity=[0.75, 0.25])
    columns = ("lexical", "embedding", "lexical_lead", "embedding_lead", "cover_lead")
    assert pairs.select(columns).rows() == [(0.75, 0.375, 0.5, 0.25, 1.0), (0.25, 0.125, -0.5, -0.25, -1.0)]


# The lead


def compared(owner: list[int], feature: str, values: list[float], asked: str) -> list[float]:
    """A feature that compares candidates, of pairs of which one other feature is known."""
    pairs = np.zeros((len(owner), len(FEATURES)), np.float32)
    pairs[:, FEATURE_NAMES.index(feature)] = values
    compare_candidates(np.array(owner, np.int32), pairs)
    return pairs[:, FEATURE_NAMES.index(asked)].tolist()


@pytest.mark.parametrize(
    ("owner", "values", "expected"),
    [
        ([], [], []),
        ([0], [0.5], [0.5]),
        ([0, 0, 0], [0.25, 0.75, 0.5], [-0.5, 0.25, -0.25]),
        ([0, 0], [0.5, 0.5], [0.0, 0.0]),
        ([0, 2, 2], [0.5, -0.25, -0.5], [0.5, 0.25, -0.25]),
    ],
)
def test_a_lead_is_the_distance_to_the_best_other_of_the_same_record(owner: list, values: list, expected: list) -> None:
    assert compared(owner, "lexical", values, "lexical_lead") == expected


# What must hold of all


def test_every_feature_is_declared_once_and_belongs_to_one_group() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES)
    assert all(f.description and f.reason_group and f.monotone in (-1, 0, 1) for f in FEATURES)


@pytest.fixture(scope="module")
def index(small_scorer) -> RetrievalIndex:
    return small_scorer.index


@pytest.fixture(scope="module")
def records(small_frames) -> pl.DataFrame:
    return small_frames.records.head(40)


def test_pairs_have_a_float_for_each_feature_and_keep_their_candidate(index, records) -> None:
    candidates = retrieve(index, records, 5)
    pairs = pair_features(index, records, candidates)
    keys = ["record_id", "reference_id", "rank", "score"]
    assert pairs.columns == [*keys, *FEATURE_NAMES]
    assert pairs.select(keys).equals(candidates.select(keys))
    assert set(pairs.select(FEATURE_NAMES).dtypes) == {pl.Float32}
    assert np.isfinite(pairs.select(FEATURE_NAMES).to_numpy()).all()


def test_a_record_has_the_same_features_alone_and_in_a_batch_of_any_order(index, records) -> None:
    batch = pair_features(index, records, retrieve(index, records, 5))
    turned = pair_features(index, records.reverse(), retrieve(index, records, 5))
    assert turned.equals(batch)
    alone = pair_features(index, records[7:8], retrieve(index, records[7:8], 5))
    assert alone.equals(batch.filter(pl.col("record_id") == records["record_id"][7]))


def test_candidates_are_ranked_from_one_best_first(index, records) -> None:
    candidates = retrieve(index, records, 5)
    assert candidates["record_id"].unique(maintain_order=True).to_list() == records["record_id"].to_list()
    by_record = candidates.group_by("record_id").agg("rank", pl.col("score").diff().max())
    assert by_record["rank"].to_list() == [[1, 2, 3, 4, 5]] * records.height
    assert by_record["score"].max() <= 0


def test_records_without_candidates_give_no_pairs(index) -> None:
    unreadable = pl.DataFrame({"record_id": ["1"], "name": [None]}, schema_overrides={"name": pl.String})
    pairs = pair_features(index, unreadable, retrieve(index, unreadable))
    assert (pairs.height, set(pairs.select(FEATURE_NAMES).dtypes)) == (0, {pl.Float32})


def test_embeddings_can_be_left_out(index, records) -> None:
    assert retrieve(index, records, 5, with_embedding=False)["embedding"].max() == 0


def test_others_that_are_as_good_are_counted_within_the_same_record() -> None:
    covers = [0.9, 0.89, 0.5, 0.9, 1.0, 1.0]
    assert compared([0, 0, 0, 1, 2, 2], "record_cover", covers, "coverers") == [1, 1, 2, 0, 1, 1]


def test_a_name_that_may_go_on_in_two_ways_is_covered_by_both() -> None:
    pairs = pairs_of({"name": "Zenith Copper"}, {"name": "Zenith Copper Income"}, {"name": "Zenith Copper Growth"})
    assert pairs["coverers"].to_list() == [1, 1]


def test_the_features_of_a_pair_do_not_depend_on_the_order_of_the_records(small_scorer, small_frames) -> None:
    records = small_frames.records.head(20)
    candidates = retrieve(small_scorer.index, records, 5)
    turned = candidates.sort("rank", "record_id", maintain_order=True)
    expected = pair_features(small_scorer.index, records, candidates).sort("record_id", "rank")
    assert pair_features(small_scorer.index, records, turned).sort("record_id", "rank").equals(expected)
