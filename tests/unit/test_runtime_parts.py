"""The parts of serving by themselves: ids, admission, keys, the telemetry spool, metrics, the golden check."""

import asyncio
import json
from dataclasses import replace
from io import StringIO

import polars as pl
import pytest

from matching.files import file_digest
from matching.runtime_fallback import Sturdy
from matching.runtime_gate import Gate
from matching.runtime_generation import golden_differences
from matching.runtime_ids import decision_ids, request_id
from matching.runtime_input import RequestError
from matching.runtime_keys import Keys
from matching.runtime_metrics import Meter, merged
from matching.runtime_spool import Spool
from matching.tokens import TokenKey

RECORDS = pl.DataFrame({"record_id": ["a", "b"], "name": ["Alpha", "Alpha"], "country": [None, "US"]})


def test_a_decision_id_names_one_question_to_one_bundle():
    plain = decision_ids(RECORDS, [False, False], "v1", 50)
    assert plain == decision_ids(RECORDS.select("country", "name", "record_id"), [False, False], "v1", 50)
    others = [
        *decision_ids(RECORDS, [True, True], "v1", 50), *decision_ids(RECORDS, [False, False], "v2", 50),
        *decision_ids(RECORDS, [False, False], "v1", 49),
    ]  # fmt: skip
    assert len({*plain, *others}) == 8


def test_text_cannot_be_moved_from_field_to_field_without_another_id():
    frames = [pl.DataFrame({"record_id": ["a"], "name": [n], "city": [c]}) for n, c in [("x", "yz"), ("xy", "z")]]
    assert len({decision_ids(frame, [False], "v1", 50)[0] for frame in frames}) == 2


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "a\nb", "naïve"])
def test_an_ill_formed_request_id_is_replaced(given):
    assert request_id("Id-1.a_b") == "Id-1.a_b"
    assert request_id(given) not in (given, request_id(given))


async def outcomes(gate: Gate, clients: list[str]) -> list[int]:
    """What each client was told when they all came at once and the first ones stayed."""
    stay = asyncio.Event()

    async def one(client: str) -> int:
        try:
            async with gate.place(client):
                await stay.wait()
        except RequestError as problem:
            return int(problem.status)
        return 200

    tasks = [asyncio.create_task(one(client)) for client in clients]
    await asyncio.sleep(0.05)
    stay.set()
    return list(await asyncio.gather(*tasks))


def test_a_full_gate_sends_away_and_a_client_with_its_share_too():
    assert asyncio.run(outcomes(Gate(places=4), ["a"] * 5)) == [200] * 4 + [503]
    assert asyncio.run(outcomes(Gate(places=4), ["b", "a", "a", "a", "c"])) == [200, 200, 200, 429, 200]


def test_what_takes_too_long_is_told_to_come_again():
    async def late() -> None:
        with pytest.raises(RequestError, match="no answer within") as caught:
            async with Gate(seconds=0.05).place("a"):
                await asyncio.sleep(10)
        assert caught.value.status == 503

    asyncio.run(late())


def test_a_key_names_its_client_and_nothing_else_enters(tmp_path):
    (tmp_path / "keys").write_text("# who\nrisk:s3cr3t\n\ndesk:0ther\n")
    keys = Keys.read(tmp_path / "keys")
    assert (keys.client("s3cr3t", "1.1.1.1"), keys.client("0ther", "1.1.1.1")) == ("risk", "desk")
    for wrong in (None, "", "s3cr3", "risk", "é"):
        with pytest.raises(RequestError) as caught:
            keys.client(wrong, "1.1.1.1")
        assert caught.value.status == 401
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(ValueError, match="client:key"):
        Keys.read(tmp_path / "empty")


def test_a_spool_that_cannot_write_counts_what_it_drops(small_scorer, small_frames, tmp_path):
    (tmp_path / "file").write_text("")
    spools = [Spool(tmp_path / "file" / "below"), Spool(tmp_path / "full", most_bytes=10)]
    for spool in spools:
        spool.add(small_scorer.score(small_frames.records.head(3)), [1.0, 1.0, 2.5])
        spool.close()
    assert [spool.dropped for spool in spools] == [3, 3]


def test_without_a_key_no_id_leaves_and_with_one_a_token_with_its_epoch(small_scorer, small_frames, tmp_path):
    for folder, key in (("none", None), ("one", "2026a:s"), ("two", "2026b:s2")):
        spool = Spool(tmp_path / folder, TokenKey.of(key) if key else None)
        spool.add(small_scorer.score(small_frames.records.head(3)), [1.0, 1.0, 2.5])
        spool.close()
    none, one, two = (pl.read_parquet(tmp_path / folder / "day=*/*.parquet") for folder in ("none", "one", "two"))
    assert "record_id" not in none.columns
    assert one["record_id"].str.starts_with("2026a.").all()
    assert not set(one["record_id"]) & set(two["record_id"])
    assert one.drop("record_id").equals(none)


def test_a_killed_worker_is_still_counted_and_a_line_for_cloudwatch_is_json(tmp_path):
    decisions, out = pl.DataFrame({"probability": [0.2, 0.9]}), StringIO()
    meter = Meter("v1", tmp_path, out)
    meter.answered(0.004, decisions, {"match": 1, "review": 1}, 1)
    meter.refused(0.001, 422, "unprocessable")
    meter.totals({"OSError": 2}, 3)
    meter.flush()
    (tmp_path / "1.prom").write_bytes(next(tmp_path.glob("*.prom")).read_bytes())
    lines = dict(line.rsplit(" ", 1) for line in merged(tmp_path, "v1").decode().splitlines() if line[0] != "#")
    assert lines['matching_requests_total{status="200"}'] == "2.0"
    assert lines['matching_decisions_total{band="match"}'] == "2.0"
    assert lines['matching_request_duration_seconds_bucket{le="0.005"}'] == "4.0"
    assert lines['matching_faults_total{kind="OSError"}'] == "4.0"
    assert lines["matching_telemetry_dropped_total"] == "6.0"
    assert lines['matching_bundle_info{bundle_version="v1"}'] == "1.0"
    said = json.loads(out.getvalue())
    named = {one["Name"] for one in said["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert named <= said.keys()
    assert (said["requests"], said["errors"], said["latency_ms"]) == (2, 1, [4.0, 1.0])


def test_a_bundle_that_decides_otherwise_than_its_golden_records_is_found_out(small_scorer, small_bundle, tmp_path):
    import shutil

    assert golden_differences(Sturdy(small_scorer)) == []
    bad = shutil.copytree(small_bundle, tmp_path / "bundle")
    golden = pl.read_parquet(bad / "golden.parquet").with_columns(decision=pl.lit("match"), reference_id=pl.lit("x"))
    golden.write_parquet(bad / "golden.parquet")
    assert file_digest(bad / "golden.parquet") != file_digest(small_bundle / "golden.parquet")
    differences = golden_differences(Sturdy(replace(small_scorer, folder=bad)))
    assert len(differences) == golden.height


def test_loading_and_warming_a_bundle_starts_no_thread_that_a_fork_would_lose(small_bundle):
    import subprocess
    import sys

    code = "import sys; from pathlib import Path; from matching.runtime_generation import *\n"
    code += "load(Path(sys.argv[1])); print(foreign_threads())"
    done = subprocess.run([sys.executable, "-c", code, small_bundle], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
