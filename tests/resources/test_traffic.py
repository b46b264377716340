"""Endpoint traffic becomes minimised rows, from the spool of this machine and from SageMaker's data capture alike."""

import json
from base64 import b64encode
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from matching.runtime_output import answer_body
from matching.runtime_spool import Spool
from matching.tokens import TokenKey
from resources.capture import TARGETED, CaptureTraffic, read_event
from resources.telemetry import check_columns
from resources.traffic import MINIMISED, SpoolTraffic

DAY = date(2026, 3, 4)
KEY = TokenKey.of("2026a:s3cr3t")
LINES, JSON, CSV = "application/jsonlines", "application/json", "text/csv"


def nothing(records: pl.DataFrame, version: str) -> None:
    """A platform that knows no bundle."""


def part(kind: str, body: bytes, mode: str) -> dict[str, str]:
    """Half of an event. SageMaker keeps JSON and CSV as text, and all else in Base64."""
    plain = {JSON: "JSON", CSV: "CSV"}.get(kind)
    data = body.decode() if plain else b64encode(body).decode()
    return {"observedContentType": kind, "mode": mode, "data": data, "encoding": plain or "BASE64"}


def captured(event: str, asked: pl.DataFrame, scorer, kind: str = LINES, **about: str) -> bytes:
    """A line as data capture writes it, of records that the scorer answered in a content type."""
    body = asked.write_csv().encode() if kind == CSV else asked.write_ndjson().encode()
    if kind == JSON:
        body = json.dumps({"records": asked.to_dicts()}).encode()
    answer = answer_body(scorer.score(asked).decisions, scorer.bundle_version, kind)
    line = {
        "captureData": {"endpointInput": part(kind, body, "INPUT"), "endpointOutput": part(kind, answer, "OUTPUT")},
        "eventMetadata": {"eventId": event, "inferenceTime": "2026-03-04T09:00:01Z", **about},
        "eventVersion": "0",
    }
    return json.dumps(line).encode()


@pytest.fixture
def asked(small_frames) -> pl.DataFrame:
    return small_frames.records.select("record_id", "name", "country").head(6)


@pytest.fixture
def spool(tmp_path: Path, small_scorer, asked) -> SpoolTraffic:
    """What a serving process leaves behind on 4 March, at two times."""
    for number, rows in enumerate((asked.head(2), asked.tail(4))):
        spool = Spool(tmp_path / "live", KEY)
        spool.add(small_scorer.score(rows), [3.5] * rows.height)
        spool.close()
        (written,) = (tmp_path / "live").glob("day=*/*.parquet")
        (tmp_path / f"day={DAY}").mkdir(exist_ok=True)
        written.rename(tmp_path / f"day={DAY}" / f"{number}.parquet")
    return SpoolTraffic(root=str(tmp_path))


@pytest.fixture
def capture(s3_store, small_scorer, asked, monkeypatch) -> CaptureTraffic:
    """What data capture leaves behind on 4 March, in two hours, the later file with an event of the earlier again."""
    monkeypatch.setenv("MATCHING_TOKEN_KEY", "2026a:s3cr3t")
    first, second = captured("e1", asked.head(2), small_scorer), captured("e2", asked[2:4], small_scorer, JSON)
    third = captured("e3", asked.tail(2), small_scorer, CSV)
    put(s3_store, "2026/03/04/09/58-12-1.jsonl", first + b"\n" + second + b"\n")
    put(s3_store, "2026/03/04/10/01-40-2.jsonl", second + b"\n" + third + b"\n")
    return CaptureTraffic(store=s3_store)


def put(store, name: str, data: bytes, variant: str = "champion") -> None:
    key = f"{store.prefix}/capture/matching/{variant}/{name}"
    store.client.put_object(Bucket=store.bucket, Key=key, Body=data)


@pytest.fixture
def measure(small_scorer):
    return lambda records, version: (
        small_scorer.score(records, reasons=False).telemetry if version == small_scorer.bundle_version else None
    )


@pytest.mark.parametrize("source", ["spool", "capture"])
def test_both_sources_give_the_same_rows(request, source, measure, small_scorer, asked):
    rows = request.getfixturevalue(source).collect(DAY, DAY, measure).rows
    check_columns(rows)
    expected = small_scorer.score(asked).telemetry
    assert rows["record_id"].to_list() == [KEY.token(one) for one in asked["record_id"]]
    same = [column for column in expected.columns if column != "record_id"]
    assert rows.select(same).equals(expected.select(pl.col(c).cast(rows[c].dtype) for c in same))
    assert rows["degraded"].to_list() == [False] * 6


def test_the_latency_of_a_spooled_record_is_kept_and_a_captured_one_has_none(spool, capture, measure):
    assert spool.collect(DAY, DAY, measure).rows["latency_ms"].to_list() == [3.5] * 6
    assert capture.collect(DAY, DAY, measure).rows["latency_ms"].null_count() == 6


@pytest.mark.parametrize("source", ["spool", "capture"])
def test_no_name_and_no_id_is_in_the_rows(request, source, measure, asked):
    told = request.getfixturevalue(source).collect(DAY, DAY, measure).rows.write_csv()
    assert not [word for word in (*asked["name"], *asked["record_id"]) if word in told]


def test_a_captured_answer_of_an_unknown_bundle_is_kept_without_features(capture):
    rows = capture.collect(DAY, DAY, nothing).rows
    assert rows.columns == list(MINIMISED)
    assert rows["probability"].null_count() == 0
    assert rows.height == 6


def test_an_event_that_was_delivered_twice_counts_once(capture, measure):
    found = capture.collect(DAY, DAY, measure)
    assert (found.files, found.rows.height) == (2, 6)


def test_a_request_that_was_refused_is_no_decision(small_scorer, asked):
    line = json.loads(captured("e1", asked.head(1), small_scorer))
    line["captureData"]["endpointOutput"] = part(JSON, b'{"error": "no record"}', "OUTPUT")
    assert read_event(json.dumps(line).encode()) is None


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"captureData": {}}'])
def test_a_file_that_is_no_capture_is_refused_and_told(capture, measure, line):
    put(capture.store, "2026/03/04/11/00-00-3.jsonl", line)
    found = capture.collect(DAY, DAY, measure)
    assert list(found.refused.values()) == ["file capture: a line is no captured event. Is it data capture's file?"]
    assert found.rows.height == 6


def test_the_same_file_under_another_name_counts_once(spool, measure):
    first = Path(spool.root) / f"day={DAY}" / "0.parquet"
    first.with_name("copy.parquet").write_bytes(first.read_bytes())
    found = spool.collect(DAY, DAY, measure)
    assert (found.repeated, found.rows.height) == (1, 6)


def test_a_file_that_comes_late_is_there_when_the_day_is_collected_again(spool, measure):
    late = Path(spool.root) / f"day={DAY}" / "1.parquet"
    kept = late.read_bytes()
    late.unlink()
    assert spool.collect(DAY, DAY, measure).rows.height == 2
    late.write_bytes(kept)
    assert spool.collect(DAY, DAY, measure).rows.height == 6


def test_a_weekend_is_collected_with_its_monday(spool, measure):
    day = Path(spool.root) / f"day={DAY}"
    day.rename(day.with_name("day=2026-03-07"))
    assert spool.collect(date(2026, 3, 7), date(2026, 3, 9), measure).rows.height == 6
    assert spool.collect(date(2026, 3, 9), date(2026, 3, 9), measure).rows.is_empty()


def test_a_spooled_file_with_a_column_that_is_not_allowed_is_refused_whole(spool, measure):
    stray = Path(spool.root) / f"day={DAY}" / "2.parquet"
    pl.DataFrame({"probability": [0.5], "name": ["Acme Holdings"]}).write_parquet(stray)
    found = spool.collect(DAY, DAY, measure)
    assert "column name: telemetry may not hold it" in found.refused["2.parquet"]
    assert "Acme" not in found.refused["2.parquet"]
    assert found.rows.height == 6


def test_a_torn_file_is_refused_and_the_rest_is_taken_in(spool, measure):
    (Path(spool.root) / f"day={DAY}" / "2.parquet").write_bytes(b"PAR1 torn")
    found = spool.collect(DAY, DAY, measure)
    assert (list(found.refused), found.rows.height) == (["2.parquet"], 6)


def test_a_day_without_traffic_has_the_columns_all_the_same(spool, measure):
    rows = spool.collect(date(2026, 3, 5), date(2026, 3, 5), measure).rows
    assert (rows.columns, rows.height) == (list(MINIMISED), 0)


def test_a_record_is_erased_from_captured_files_with_the_events_that_asked_about_it(capture, measure, asked):
    assert capture.erase([asked["record_id"][0]]) == 1
    left = capture.collect(DAY, DAY, measure).rows["record_id"].to_list()
    assert left == [KEY.token(one) for one in asked["record_id"][2:]]


def test_what_was_spooled_or_captured_before_a_day_can_be_forgotten(spool, capture, measure):
    for source, files in ((spool, 2), (capture, 2)):
        assert source.forget_before(DAY) == 0
        assert source.forget_before(date(2026, 3, 5)) == files
        assert source.collect(DAY, DAY, measure).rows.is_empty()


def test_what_variants_answered_is_told_of_records_that_somebody_asks_about(capture, small_scorer, asked):
    ids, nine = asked["record_id"].to_list(), datetime(2026, 3, 4, 9, tzinfo=UTC).timestamp()
    told = capture.answers([*ids[1:3], "never asked"], nine)
    expected = small_scorer.score(asked[1:3]).decisions.select("record_id", "decision", "reference_id").to_dicts()
    assert [{name: one[name] for name in ("record_id", "decision", "reference_id")} for one in told] == expected
    assert {(one["variant"], one["version"]) for one in told} == {("champion", small_scorer.bundle_version)}
    assert capture.answers(ids, nine + 3600) == []


def test_the_first_answer_counts_and_what_one_variant_was_asked_by_name_does_not(capture, small_scorer, asked):
    again = captured("e7", asked.head(1), small_scorer, inferenceTime="2026-03-04T11:00:00Z")
    by_name = captured("e8", asked.head(1), small_scorer, inferenceTime="2026-03-04T08:59:59Z", inferenceId=TARGETED)
    for name, line in (("11/00-00-7.jsonl", again), ("08/59-59-8.jsonl", by_name)):
        put(capture.store, f"2026/03/04/{name}", line, variant="challenger")
    (told,) = capture.answers(asked["record_id"].head(1), 0.0)
    assert (told["variant"], told["at"]) == ("champion", datetime(2026, 3, 4, 9, 0, 1, tzinfo=UTC).timestamp())


def test_tokens_of_answers_stay_the_same_and_hide_the_id(capture, asked):
    ids = asked["record_id"].to_list()
    first, again = capture.answers(ids, 0.0), capture.answers(ids, 0.0)
    assert [one["token"] for one in first] == [one["token"] for one in again]
    assert not {one["token"] for one in first} & set(ids)
