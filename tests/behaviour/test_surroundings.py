"""A record is decided by itself: what stands around it in the batch, in the reference or in its row changes nothing."""

from dataclasses import replace

import polars as pl
import pytest

from matching.master import build_reference_master
from matching.retrieval.index import RetrievalIndex
from matching.scoring import Scorer

from .conftest import CONFIG, Matcher
from .mutations import (
    blank_is_a_country,
    candidates_share_one_probability,
    later_rows_rank_lower,
    names_are_told,
    the_batch_is_the_measure,
    the_number_of_columns_counts,
    the_size_of_the_reference_counts,
)

DECISION = ("record_id", "reference_id", "probability", "decision", "runner_up_id", "margin")


@pytest.fixture(scope="module")
def batch(matcher: Matcher) -> pl.DataFrame:
    """Some fifty real records from the sample, matches and others."""
    return matcher.frames["records"].sort("record_id").gather_every(37)


def decided(scorer: Scorer, records: pl.DataFrame, top_k: int = CONFIG.top_k) -> pl.DataFrame:
    """The decisions without their reasons, by record."""
    return scorer.score(records, top_k, reasons=False).decisions.select(DECISION).sort("record_id")


def with_references(matcher: Matcher, reference: pl.DataFrame) -> Scorer:
    """The same models on another reference."""
    index = RetrievalIndex.build(build_reference_master(reference), matcher.scorer.index.encoder)
    return replace(matcher.scorer, index=index)


@pytest.mark.caught(by=the_batch_is_the_measure)
def test_a_record_alone_is_decided_as_in_a_batch(matcher: Matcher, batch: pl.DataFrame) -> None:
    few = batch.head(12)
    alone = pl.concat(decided(matcher.scorer, record) for record in few.iter_slices(1))
    assert alone.equals(decided(matcher.scorer, few))


@pytest.mark.caught(by=later_rows_rank_lower)
def test_the_order_of_records_does_not_matter(matcher: Matcher, batch: pl.DataFrame) -> None:
    assert decided(matcher.scorer, batch.reverse()).equals(decided(matcher.scorer, batch))


@pytest.mark.caught(by=later_rows_rank_lower)
def test_a_record_delivered_twice_is_decided_twice_in_the_same_way(matcher: Matcher, batch: pl.DataFrame) -> None:
    twice = pl.concat([batch, batch.reverse().with_columns(pl.col("record_id") + "-again")])
    decisions = decided(matcher.scorer, twice)
    later = decisions["record_id"].str.ends_with("-again")
    assert decisions.filter(later).drop("record_id").equals(decisions.filter(~later).drop("record_id"))


@pytest.mark.caught(by=the_size_of_the_reference_counts)
def test_an_irrelevant_reference_changes_no_decision_and_hardly_a_probability(
    matcher: Matcher, batch: pl.DataFrame
) -> None:
    stranger = pl.DataFrame(
        [("STRANGER", "Xylqvist Zwjoborg Oyj", "Finland")], schema=matcher.frames["reference"].schema, orient="row"
    )
    wider = with_references(matcher, pl.concat([matcher.frames["reference"], stranger]))
    before, after = decided(matcher.scorer, batch), decided(wider, batch)
    named = before["decision"] != "no_match"
    assert after["reference_id"].filter(named).to_list() == before["reference_id"].filter(named).to_list()
    assert (after["probability"] - before["probability"]).abs().max() < 0.02
    assert (after["decision"] != before["decision"]).sum() <= 1


@pytest.mark.caught(by=candidates_share_one_probability)
def test_more_candidates_hardly_change_what_is_known_of_a_match(matcher: Matcher, batch: pl.DataFrame) -> None:
    fewer, more = (decided(matcher.scorer, batch, top_k) for top_k in (CONFIG.top_k, CONFIG.top_k + 20))
    matched = fewer["decision"] == "match"
    assert matched.sum() > 20
    assert (more["margin"] - fewer["margin"]).filter(matched).abs().max() < 0.3
    assert more["reference_id"].filter(matched).to_list() == fewer["reference_id"].filter(matched).to_list()


@pytest.mark.caught(by=the_number_of_columns_counts)
def test_columns_that_nobody_knows_are_ignored(matcher: Matcher, batch: pl.DataFrame) -> None:
    wider = batch.with_columns(
        pl.lit(7).alias("priority"), pl.lit([1.5]).alias("figures"), pl.lit("x").alias("reference_id")
    )
    assert decided(matcher.scorer, wider).equals(decided(matcher.scorer, batch))


@pytest.mark.caught(by=blank_is_a_country)
@pytest.mark.parametrize("nothing", [None, "", "  "], ids=["null", "empty", "blank"])
def test_an_attribute_without_a_value_is_as_one_that_was_not_delivered(matcher: Matcher, nothing: str | None) -> None:
    assert matcher.outcome("Alphabet Inc.", country=nothing) == matcher.outcome("Alphabet Inc.")


@pytest.mark.caught(by=names_are_told)
def test_telemetry_holds_no_name_of_a_person(matcher: Matcher) -> None:
    telemetry = matcher.score(
        "Philippa Kestrelton-Okonkwo", "Estate of J. Quillfeather", country="United States"
    ).telemetry
    text = [c for c, kind in telemetry.schema.items() if not kind.is_numeric()]
    told = telemetry.write_csv().lower()
    assert text == ["record_id", "decision", "bundle_version"]
    assert not [word for word in ("philippa", "kestrelton", "okonkwo", "estate", "quillfeather") if word in told]
