"""What a peer gives back, and what it costs, through the job that every peer runs."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from benchmarks.compare import ALL, OURS, do_job
from benchmarks.environments import PEERS, NotInstalledError, peer_python, peer_version
from benchmarks.process import run

sys.path.append(str(PEERS))
from job import DEPTH, ranked


def test_candidates_are_ranked_from_the_highest_score_and_ties_by_id():
    pairs = pl.DataFrame(
        {"record_id": ["q", "q", "p", "q"], "reference_id": ["B", "A", "Z", "C"], "score": [0.5, 0.5, 0.1, 0.9]}
    )
    assert ranked(pairs).rows() == [("p", "Z", 1, 0.1), ("q", "C", 1, 0.9), ("q", "A", 2, 0.5), ("q", "B", 3, 0.5)]


def test_no_more_than_fifty_candidates_are_kept():
    ids = [f"R{i:03d}" for i in range(DEPTH + 20)]
    pairs = pl.DataFrame(
        {"record_id": ["q"] * len(ids), "reference_id": ids, "score": [float(i) for i in range(len(ids))]}
    )
    assert ranked(pairs)["reference_id"].to_list() == ids[: -DEPTH - 1 : -1]


def test_every_peer_has_a_script_and_pinned_requirements():
    for peer in ALL:
        assert (PEERS / f"run_{peer.name}.py").is_file()
        if peer.name != OURS:
            lines = [one for one in (PEERS / f"{peer.name}.txt").read_text().splitlines() if not one.startswith("#")]
            assert lines
            assert all(one.count("==") == 1 for one in lines)
            assert peer_version(peer.name).split()[1][0].isdigit()


def test_a_peer_without_uv_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.environments.BIN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("benchmarks.environments._index_settings", dict)
    with pytest.raises(NotInstalledError, match="uv is not on this machine"):
        peer_python("tfidf", tmp_path / "cache")


def test_a_process_that_fails_is_told_by_its_last_line(tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run([sys.executable, "-c", "print('first'); raise SystemExit('what was wrong')"], tmp_path / "log")
    assert failed.value.output == "what was wrong"


def test_a_process_is_measured(tmp_path: Path):
    one = run([sys.executable, "-c", "x = bytearray(50_000_000)"], tmp_path / "log")
    assert one.peak_bytes > 50_000_000
    assert one.seconds > 0


def test_a_job_gives_candidates_and_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """TF-IDF, in this environment: its packages are those of the baseline."""
    monkeypatch.setattr("benchmarks.compare.peer_python", lambda peer, cache: Path(sys.executable))
    peer = next(one for one in ALL if one.name == "tfidf")
    frames = {
        "reference": pl.DataFrame({"reference_id": ["A", "B"], "name": ["Abbott Laboratories", "Deutsche Telekom AG"]}),
        "records": pl.DataFrame({"record_id": ["q", "p"], "name": ["DEUTSCHE TELEKOM", "ABBOTT LABS"]}),
    }
    costs = do_job(peer, tmp_path / "job", frames, tmp_path, {})
    best = pl.read_parquet(tmp_path / "job" / "candidates.parquet").filter(pl.col("rank") == 1)
    assert dict(best.select("record_id", "reference_id").iter_rows()) == {"q": "B", "p": "A"}
    assert costs["answered"] == costs["singles"] == 2
    assert json.loads((tmp_path / "job" / "job.json").read_text())["singles"] == peer.singles
