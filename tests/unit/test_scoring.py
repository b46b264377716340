"""One scorer for a batch and for a record; what it may match, what it says, and what a new reference changes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from matching.bundle import read_manifest, verify_bundle
from matching.features import FEATURE_NAMES
from matching.files import file_digest, folder_digest
from matching.kinds import Kind
from matching.reasons import entries
from matching.records import content_hash
from matching.scoring import Scored, Scorer

UNREADABLE = [None, "", "\U0001f600", "\u0410bbott Laboratories", "Abbott\u200b Laboratories", "Abbott " * 20]


@pytest.fixture(scope="module")
def records(small_frames) -> pl.DataFrame:
    """Records of every kind: some are in the reference, some are not, some cannot be read."""
    odd = pl.DataFrame({"record_id": [f"odd{i}" for i in range(len(UNREADABLE))], "name": UNREADABLE})
    return pl.concat([small_frames.records.head(30), odd], how="diagonal")


@pytest.fixture(scope="module")
def scored(small_scorer, records) -> Scored:
    return small_scorer.score(records)


def named(*names: str | None, **columns: object) -> pl.DataFrame:
    ids = [str(i) for i in range(len(names))]
    frame = pl.DataFrame({"record_id": ids, "name": names}, schema={"record_id": pl.String, "name": pl.String})
    return frame.with_columns(pl.lit(v).alias(c) for c, v in columns.items())


def frames(scored: Scored) -> tuple[pl.DataFrame, ...]:
    return scored.decisions, scored.candidates, scored.telemetry


def lines(frame: pl.DataFrame, record_id: str) -> str:
    return frame.filter(pl.col("record_id") == record_id).write_ndjson()


# The same alone and in a batch


def test_a_record_is_decided_alone_as_in_a_batch_byte_for_byte(small_scorer, records, scored) -> None:
    for i, record_id in enumerate(records["record_id"]):
        alone = small_scorer.score(records[i : i + 1])
        for one, batch in zip(frames(alone), frames(scored), strict=True):
            assert one.write_ndjson() == lines(batch, record_id)


def test_the_order_of_records_does_not_matter(small_scorer, records, scored) -> None:
    turned = small_scorer.score(records.reverse())
    assert turned.decisions.reverse().equals(scored.decisions)
    assert turned.telemetry.reverse().equals(scored.telemetry)


def test_without_reasons_the_decisions_are_the_same(small_scorer, records, scored) -> None:
    told = ("reasons", "contrast")
    brief = small_scorer.score(records, reasons=False).decisions
    assert brief.drop(told).equals(scored.decisions.drop(told))
    assert brief["reasons"].list.len().max() == 0


# Decisions


def test_each_record_has_one_decision_in_its_place(records, scored) -> None:
    assert scored.decisions["record_id"].equals(records["record_id"])
    assert set(scored.decisions["decision"]) == {"match", "review", "no_match"}


def test_a_match_has_the_probability_that_the_certificate_asks_for(small_scorer, scored) -> None:
    threshold = small_scorer.policy.certificate.threshold
    matched = scored.decisions.filter(pl.col("decision") == "match")
    assert matched["probability"].min() >= threshold
    assert (matched["runner_up_probability"].fill_null(0) < matched["probability"]).all()


def test_the_decision_names_the_first_candidate_and_the_second(scored) -> None:
    by_rank = scored.candidates.pivot(on="rank", index="record_id", values="reference_id", aggregate_function="first")
    joined = scored.decisions.join(by_rank, on="record_id")
    assert joined["reference_id"].equals(joined["1"], check_names=False)
    assert joined["runner_up_id"].equals(joined["2"], check_names=False)


def test_candidates_are_numbered_from_one_and_no_more_than_asked_for(small_scorer, records) -> None:
    ranks = small_scorer.score(records, top_k=3).candidates.group_by("record_id").agg("rank", "score")
    assert set(map(tuple, ranks["rank"])) == {(1, 2, 3)}
    assert all(list(s) == sorted(s, reverse=True) for s in ranks["score"])


def test_a_name_that_cannot_be_read_safely_goes_to_review_and_says_so(small_scorer) -> None:
    decisions = small_scorer.score(named(*UNREADABLE)).decisions
    assert set(decisions["decision"]) == {"review"}
    assert all("NAME_UNREADABLE" in {r["code"] for r in reasons} for reasons in decisions["reasons"])


def test_the_same_name_written_plainly_is_matched(small_scorer) -> None:
    assert small_scorer.score(named("Abbott Laboratories", country="United States")).decisions["decision"][0] == "match"


def test_a_record_without_candidates_has_none_and_says_so(small_scorer) -> None:
    decision = small_scorer.score(named(None)).decisions.row(0, named=True)
    assert [decision[c] for c in ("reference_id", "runner_up_id", "margin", "probability")] == [None, None, None, 0.0]
    assert "NO_CANDIDATE" in {r["code"] for r in decision["reasons"]}


def test_two_that_cannot_be_told_apart_are_reviewed(small_scorer, small_frames, tmp_path: Path) -> None:
    twin = pl.DataFrame({"reference_id": ["TWIN"], "name": ["ABBOTT LABORATORIES"]})
    reference = pl.concat([small_frames.reference, twin], how="diagonal")
    scorer = Scorer.load(small_scorer.reindex(reference, None, tmp_path / "twins"))
    decision = scorer.score(named("Abbott Laboratories")).decisions.row(0, named=True)
    assert decision["decision"] == "review"
    assert {decision["reference_id"], decision["runner_up_id"]} == {"TWIN", "CIK0000001800"}
    assert "AMBIGUOUS" in {r["code"] for r in decision["reasons"]}


# Reasons


def test_the_reasons_of_a_decision_and_the_base_sum_to_its_margin(small_scorer, scored) -> None:
    base = small_scorer.ranker.contributions(np.zeros((1, len(FEATURE_NAMES)), np.float32))[0, -1]
    told = scored.decisions.drop_nulls("margin").select(
        "margin", pl.col("reasons").list.eval(pl.element().struct.field("contribution")).list.sum().alias("sum")
    )
    np.testing.assert_allclose(told["sum"] + base, told["margin"], atol=1e-4)


def test_every_code_is_in_the_catalogue(scored) -> None:
    codes = scored.decisions["reasons"].explode().struct.field("code")
    assert set(codes) | set(scored.decisions["contrast"].explode().struct.field("code").drop_nulls()) <= set(entries())


def test_the_contrast_names_at_most_two_differences(scored) -> None:
    sizes = scored.decisions["contrast"].list.len()
    assert (sizes.min(), sizes.max()) == (0, 2)


# Frames of any shape


def test_no_records_give_empty_frames_of_the_same_columns(small_scorer, scored) -> None:
    for reasons in (True, False):
        empty = small_scorer.score(named(), reasons=reasons)
        for none, some in zip(frames(empty), frames(scored), strict=True):
            assert (none.height, none.schema) == (0, some.schema)


def test_records_need_no_attributes(small_scorer) -> None:
    assert small_scorer.score(named("Abbott Laboratories")).decisions["reference_id"][0] == "CIK0000001800"


def test_records_without_any_candidate_among_them_have_the_same_columns(small_scorer, scored) -> None:
    assert small_scorer.score(named(None, "")).decisions.schema == scored.decisions.schema


def test_an_attribute_that_is_no_text_is_compared_as_text(small_scorer) -> None:
    one, other = (small_scorer.score(named("Abbott", country=c)).decisions["probability"][0] for c in (7, "7"))
    assert one == other


def test_columns_that_nobody_knows_change_nothing(small_scorer, records, scored) -> None:
    assert small_scorer.score(records.with_columns(rating=pl.lit(3))).decisions.equals(scored.decisions)


# Telemetry


def test_telemetry_has_numbers_and_never_a_name(records, scored) -> None:
    text = {c for c, kind in scored.telemetry.schema.items() if not kind.is_numeric()}
    assert text == {"record_id", "decision", "bundle_version"}
    said = scored.telemetry.write_ndjson()
    assert not [n for n in records["name"].drop_nulls() if len(n) > 3 and json.dumps(n) in said]


def test_telemetry_has_the_features_of_the_chosen_candidate(scored) -> None:
    chosen = scored.telemetry.filter(pl.col("candidate_count") > 0)
    assert [c for c in scored.telemetry.columns if c.startswith("f_")] == [f"f_{n}" for n in FEATURE_NAMES]
    assert chosen["f_same_name"].null_count() == 0
    assert scored.telemetry.filter(pl.col("candidate_count") == 0)["f_same_name"].null_count() > 0


@pytest.mark.parametrize(
    ("name", "share"), [("Abbott Laboratories", 0.0), ("Abbott Qxqxqx", 0.5), ("Qxqxqx", 1.0), ("", 0.0)]
)
def test_telemetry_tells_the_share_of_words_that_the_reference_has_never_seen(
    small_scorer, name: str, share: float
) -> None:
    assert small_scorer.score(named(name)).telemetry["unknown_token_share"][0] == share


# The bundle


def test_the_version_is_that_of_the_manifest(small_bundle: Path, small_scorer, scored) -> None:
    assert small_scorer.bundle_version == read_manifest(small_bundle).version == small_scorer.manifest.version
    assert set(scored.decisions["bundle_version"]) == {small_scorer.bundle_version}


def test_a_scorer_in_the_making_has_no_manifest(small_scorer) -> None:
    made = Scorer(small_scorer.index, small_scorer.ranker, small_scorer.calibration, small_scorer.policy, "unreleased")
    with pytest.raises(ValueError, match="not loaded from a bundle"):
        _ = made.manifest


# A new reference


def reindexed(scorer: Scorer, reference: pl.DataFrame, out: Path) -> Scorer:
    return Scorer.load(scorer.reindex(reference, None, out))


def test_another_reference_keeps_the_models_and_withdraws_the_certificate(small_scorer, tmp_path: Path) -> None:
    other = pl.DataFrame({"reference_id": ["x", "y"], "name": ["Abbott Laboratories", "Zenith Copper"]})
    new = reindexed(small_scorer, other, tmp_path / "other")
    for model in ("ranker.ubj", "encoder.safetensors", "calibration.json"):
        assert file_digest(tmp_path / "other" / model) == file_digest(small_scorer.folder / model)
    assert not new.policy.certificate.granted
    assert "another reference" in new.policy.certificate.statement
    decision = new.score(named("Abbott Laboratories")).decisions.row(0, named=True)
    assert (decision["reference_id"], decision["decision"]) == ("x", "review")


@pytest.mark.parametrize(
    ("kept", "granted"),
    [(1.0, True), (0.9, True), (0.5, False), (0.1, False)],
    ids=["same", "refreshed", "half", "tenth"],
)
def test_the_certificate_holds_for_a_refreshed_reference_only(
    small_scorer, small_frames, tmp_path, kept, granted
) -> None:
    reference = small_frames.reference.head(int(small_frames.reference.height * kept))
    assert reindexed(small_scorer, reference, tmp_path / "new").policy.certificate.granted == granted


def test_the_same_reference_decides_the_same(small_scorer, small_frames, records, scored, tmp_path: Path) -> None:
    again = Scorer.load(small_scorer.reindex(small_frames.reference, small_frames.aliases, tmp_path / "again"))
    assert again.score(records).decisions.drop("bundle_version").equals(scored.decisions.drop("bundle_version"))


def test_a_reindexed_bundle_says_what_it_was_made_of(small_scorer, tmp_path: Path) -> None:
    other = pl.DataFrame({"reference_id": ["x", "y"], "name": ["Abbott Laboratories", "Zenith Copper"]})
    facts = verify_bundle(small_scorer.reindex(other, None, tmp_path / "other")).facts
    before = small_scorer.manifest.facts
    assert facts["parent"] == small_scorer.bundle_version
    assert facts["data"] == before["data"] | {"reference": content_hash(other)}
    assert facts["counts"] == before["counts"] | {"references": 2}
    assert facts["certificate"]["granted"] is False


def test_an_update_makes_the_same_bytes_as_a_new_reference(small_scorer, small_frames, tmp_path: Path) -> None:
    reference, aliases = small_frames.reference, small_frames.aliases
    added = reference.head(3).with_columns(pl.lit("Zürcher Übersee AG").alias("name"))
    added = pl.concat([added, reference.head(1).with_columns(reference_id=pl.lit("NEW1"), name=pl.lit("Qux Zinc plc"))])
    removed = reference["reference_id"].tail(4)
    whole = pl.concat([reference[3:-4], added])
    whole_bundle = small_scorer.reindex(whole, aliases, tmp_path / "whole")
    updated = small_scorer.update(added, removed, None, tmp_path / "updated")
    assert folder_digest(updated / "index") == folder_digest(whole_bundle / "index")
    assert read_manifest(updated).version == read_manifest(whole_bundle).version


def test_many_small_updates_count_as_one_large_one(small_scorer, small_frames, tmp_path: Path) -> None:
    granted, scorer, ids = [], small_scorer, small_frames.reference["reference_id"].to_list()
    nothing = small_frames.reference.clear()
    for step in range(3):
        removed = pl.Series(ids[step * 130 : (step + 1) * 130], dtype=pl.String)
        scorer = Scorer.load(scorer.update(nothing, removed, None, tmp_path / str(step)))
        granted.append(scorer.policy.certificate.granted)
    assert granted == [True, True, False]


# Kinds of record


def test_a_record_of_a_kind_that_is_not_certified_is_reviewed_and_says_so(small_scorer, records, scored) -> None:
    matched = records.join(scored.decisions.filter(pl.col("decision") == "match"), on="record_id", how="semi")
    kinds = (Kind("source", "good", 10, 5, 0, barred=False),)
    scorer = replace(small_scorer, policy=replace(small_scorer.policy, kinds=kinds))
    for source, band in (("good", "match"), ("never labelled", "review"), (None, "match")):
        decisions = scorer.score(matched.with_columns(source=pl.lit(source, dtype=pl.String))).decisions
        assert set(decisions["decision"]) == {band}
        codes = decisions["reasons"].explode().struct.field("code")
        assert ("KIND_NOT_CERTIFIED" in codes) == (band == "review")
