"""From files to decisions and back by the command line alone: what it writes agrees with what the domain says."""

import json
from contextlib import redirect_stdout
from functools import partial
from io import StringIO

import polars as pl
import pytest

import matching.ranker
import matching.retrieval.encoder
from matching.files import folder_digest
from matching.records import read_table, write_table
from matching.scoring import Scorer
from matching_assets.cli import main
from matching_assets.commands import match
from matching_assets.sample import sample_files

pytestmark = pytest.mark.slow
SAMPLE = {name: read_table(path) for name, path in sample_files().items()}
RECORDS = SAMPLE["records"].head(150).drop("day")
BAD = pl.DataFrame({"record_id": ["nameless", "again"], "name": ["-", "\x07"]})


def said(*arguments):
    """What a command that must succeed prints."""
    with redirect_stdout(StringIO()) as out:
        assert main([str(argument) for argument in arguments]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files as a user has them, a small bundle fitted on them, and the decisions of `matching match`."""
    folder = tmp_path_factory.mktemp("files")
    labels = SAMPLE["labels"].join(RECORDS.select("record_id"), on="record_id", how="semi")
    right = SAMPLE["reference"].join(labels.drop_nulls("reference_id"), on="reference_id", how="semi")
    near = pl.concat([right, SAMPLE["reference"].head(100)]).unique("reference_id", maintain_order=True)
    write_table(near, folder / "reference.csv")
    write_table(pl.concat([RECORDS, BAD], how="diagonal"), folder / "records.csv")
    write_table(labels, folder / "labels.csv")
    with pytest.MonkeyPatch.context() as small:
        small.setattr(
            matching.retrieval.encoder,
            "EncoderConfig",
            partial(matching.retrieval.encoder.EncoderConfig, dim=16, steps=5),
        )
        small.setattr(matching.ranker, "RankerConfig", partial(matching.ranker.RankerConfig, trees=20))
        printed = fit(folder, folder / "bundle")
    (folder / "fit.txt").write_text(printed)
    decide(folder, "decisions.csv", "--candidates", folder / "candidates.csv")
    return folder


def fit(folder, bundle):
    files = [f"--{name}={folder / name}.csv" for name in ("reference", "records", "labels")]
    return said("fit", *files, "--bundle", bundle)


def decide(folder, decisions, *more):
    return said(
        "match",
        "--bundle",
        folder / "bundle",
        "--records",
        folder / "records.csv",
        "--decisions",
        folder / decisions,
        *more,
    )


def test_fit_says_what_it_measured_and_what_the_certificate_says(folder):
    printed = (folder / "fit.txt").read_text()
    manifest = Scorer.load(folder / "bundle").manifest
    assert manifest.version in printed
    assert "On out-of-fold entities" in printed
    assert " ".join(manifest.facts["certificate"]["statement"].split()) in " ".join(printed.split())


def test_fit_puts_what_it_could_not_use_beside_the_bundle(folder):
    quarantined = read_table(folder / "bundle.records.quarantine.csv")
    assert quarantined["record_id"].to_list() == ["nameless", "again"]


def test_every_record_is_decided_or_quarantined(folder):
    decided = read_table(folder / "decisions.csv")["record_id"].to_list()
    quarantined = read_table(folder / "decisions.quarantine.csv")["record_id"].to_list()
    assert decided + quarantined == read_table(folder / "records.csv")["record_id"].to_list()


def test_decisions_are_those_of_the_scorer_whatever_the_batch(folder, monkeypatch):
    monkeypatch.setattr(match, "BATCH", 37)
    decide(folder, "batched.parquet")
    expected = Scorer.load(folder / "bundle").score(read_table(folder / "records.csv").head(RECORDS.height)).decisions
    assert pl.read_parquet(folder / "batched.parquet").equals(expected)


def test_match_says_how_many_fell_into_each_band(folder):
    printed = decide(folder, "again.csv").split()
    bands = read_table(folder / "again.csv")["decision"].value_counts().rows()
    assert {band: int(printed[printed.index(band) + 1]) for band, _ in bands} == dict(bands)


def test_evaluate_reads_what_match_wrote(folder):
    files = ("--decisions", folder / "decisions.csv", "--labels", folder / "labels.csv")
    measured = json.loads(said("evaluate", *files, "--candidates", folder / "candidates.csv", "--json"))
    assert measured["records"] == RECORDS.height
    assert measured["recall@50"] >= measured["recall@1"] > 0.5


def test_evaluate_names_the_row_that_is_no_probability(folder, capsys):
    decisions = read_table(folder / "decisions.csv").with_columns(
        probability=pl.when(pl.int_range(pl.len()) == 4).then(pl.lit("high")).otherwise("probability")
    )
    write_table(decisions, folder / "torn.csv")
    assert main(["evaluate", "--decisions", str(folder / "torn.csv"), "--labels", str(folder / "labels.csv")]) == 2
    assert "column probability, row 5" in capsys.readouterr().err


def test_explain_tells_the_decision_that_match_made(folder):
    decision = read_table(folder / "decisions.csv").row(0, named=True)
    record = {c: v for c, v in RECORDS.row(0, named=True).items() if v is not None}
    printed = said("explain", "--bundle", folder / "bundle", "--record", json.dumps(record))
    assert f"{decision['decision']}  {decision['reference_id']}" in printed
    assert "in all" in printed


@pytest.mark.parametrize("record", ["IBM", '["IBM"]', '{"title": "IBM"}', '{"name": "..."}', '{"name": ["IBM"]}'])
def test_a_record_that_cannot_be_read_is_refused_in_one_line(record, folder, capsys):
    assert main(["explain", "--bundle", str(folder / "bundle"), "--record", record]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_name_is_enough(folder):
    record = json.dumps({"name": RECORDS["name"][0]})
    assert "probability" in said("explain", "--bundle", folder / "bundle", "--record", record)


def test_reindex_brings_the_models_to_another_reference(folder):
    write_table(SAMPLE["reference"].tail(50), folder / "other.csv")
    printed = said(
        "reindex", "--bundle", folder / "bundle", "--reference", folder / "other.csv", "--out", folder / "other"
    )
    scorer = Scorer.load(folder / "other")
    assert scorer.bundle_version in printed
    assert "Nothing is matched automatically" in " ".join(printed.split())
    assert set(scorer.index.reference_ids) == set(read_table(folder / "other.csv")["reference_id"])
    assert scorer.manifest.files["ranker.ubj"] == Scorer.load(folder / "bundle").manifest.files["ranker.ubj"]


def test_several_names_of_an_account_are_decided_as_one(folder):
    asked = RECORDS.head(20).with_columns(client=pl.col("record_id").str.tail(1))
    write_table(asked, folder / "clients.csv")
    files = ["--records", folder / "clients.csv", "--decisions", folder / "names.csv"]
    printed = said(
        "match", "--bundle", folder / "bundle", *files, "--account", "client", "--accounts", folder / "a.csv"
    )
    accounts = read_table(folder / "a.csv")
    assert sorted(accounts["account_id"]) == sorted(asked["client"].unique())
    assert f"{accounts.height} accounts" in printed


def test_update_changes_a_few_references(folder):
    write_table(pl.DataFrame({"reference_id": ["NEW"], "name": ["Qux Zinc plc"]}), folder / "add.csv")
    write_table(read_table(folder / "reference.csv").select("reference_id").tail(2), folder / "gone.csv")
    changes = ["--add", folder / "add.csv", "--remove", folder / "gone.csv"]
    printed = said("update", "--bundle", folder / "bundle", *changes, "--out", folder / "updated")
    assert "1 references added or replaced, 2 removed" in printed
    before, after = (Scorer.load(folder / name) for name in ("bundle", "updated"))
    assert len(after.index.reference_ids) == len(before.index.reference_ids) - 1
    record = json.dumps({"name": "QUX ZINC PLC"})
    assert "NEW" in said("explain", "--bundle", folder / "updated", "--record", record)


def test_an_update_of_nothing_is_a_wrong_call(folder, capsys):
    assert main(["update", "--bundle", str(folder / "bundle"), "--out", str(folder / "none")]) == 2
    assert "Give --add, --remove or --aliases" in capsys.readouterr().err


def test_an_altered_bundle_is_refused_in_one_line(folder, capsys):
    said("reindex", "--bundle", folder / "bundle", "--reference", folder / "reference.csv", "--out", folder / "altered")
    (folder / "altered" / "policy.json").write_text("{}")
    assert main(["serve", "--bundle", str(folder / "altered")]) == 2
    assert "torn or altered: policy.json" in capsys.readouterr().err


def test_matching_leaves_the_bundle_as_it_was(folder):
    before = folder_digest(folder / "bundle")
    decide(folder, "once-more.csv")
    assert folder_digest(folder / "bundle") == before
