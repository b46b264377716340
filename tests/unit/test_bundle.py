"""The bundle: whole, unaltered and harmless, or not used."""

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from matching.bundle import BundleError, Parts, load_parts, read_manifest, verify_bundle, write_bundle
from matching.files import folder_files
from matching.scoring import Scorer

EXECUTABLE = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npz", ".py", ".so", ".dill")


@pytest.fixture
def bundle(small_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the small bundle, to be damaged."""
    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="module")
def parts(small_bundle: Path) -> Parts:
    return load_parts(small_bundle)


# Whole


def test_the_manifest_lists_every_file(small_bundle: Path) -> None:
    found = folder_files(small_bundle)
    del found["manifest.json"]
    assert verify_bundle(small_bundle).files == found


def test_a_bundle_has_what_its_description_names(small_bundle: Path) -> None:
    assert set(folder_files(small_bundle)) >= {
        "manifest.json", "ranker.ubj", "ranker.json", "encoder.safetensors", "encoder.json", "index/index.json",
        "index/reference.parquet", "calibration.json", "policy.json", "reasons.yaml", "golden.parquet",
        "telemetry.parquet",
    }  # fmt: skip


def test_the_manifest_says_where_the_bundle_comes_from(small_bundle: Path, small_frames) -> None:
    facts = read_manifest(small_bundle).facts
    assert facts["counts"]["records"] == small_frames.records.height
    assert facts["config"]["seed"] == 7
    assert facts["certificate"]["granted"]
    assert set(facts) >= {"data", "code", "metrics", "measured_on"}


def test_the_same_parts_and_facts_give_the_same_version(parts: Parts, tmp_path: Path) -> None:
    one, other = (write_bundle(parts, {"seed": 7}, tmp_path / name) for name in "ab")
    assert one == other
    assert write_bundle(parts, {"seed": 8}, tmp_path / "c").version != one.version


def test_parts_come_back_as_they_were_written(parts: Parts, tmp_path: Path) -> None:
    write_bundle(parts, {}, tmp_path / "again")
    again = load_parts(tmp_path / "again")
    assert (again.policy, again.calibration) == (parts.policy, parts.calibration)
    assert again.golden.equals(parts.golden)
    assert again.telemetry.equals(parts.telemetry)
    assert again.index.master.equals(parts.index.master)


def test_a_bundle_that_cannot_be_written_leaves_nothing(parts: Parts, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_bundle(parts, {"not JSON": object()}, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


# Unaltered


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGES = {
    "altered": lambda bundle: flip(bundle / "ranker.ubj"),
    "altered array": lambda bundle: flip(bundle / "index" / "postings.npy"),
    "torn": lambda bundle: tear(bundle / "encoder.safetensors"),
    "missing": lambda bundle: (bundle / "policy.json").unlink(),
    "extra": lambda bundle: (bundle / "index" / "more.npy").write_bytes(b"x"),
    "swapped": lambda bundle: shutil.copyfile(bundle / "ranker.json", bundle / "calibration.json"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_bundle_is_refused(bundle: Path, damage) -> None:
    damage(bundle)
    with pytest.raises(BundleError, match="torn or altered"):
        Scorer.load(bundle)


def test_the_damaged_file_is_named(bundle: Path) -> None:
    tear(bundle / "golden.parquet")
    with pytest.raises(BundleError, match=r"golden\.parquet"):
        verify_bundle(bundle)


def test_a_damaged_bundle_is_refused_before_any_of_it_is_parsed(bundle: Path, monkeypatch) -> None:
    flip(bundle / "ranker.ubj")
    monkeypatch.setattr("matching.scoring.load_parts", lambda folder: pytest.fail("it was parsed"))
    with pytest.raises(BundleError):
        Scorer.load(bundle)


@pytest.mark.parametrize("manifest", [None, b"", b"[]", b"{}", b'{"format": 1}', b"\xff", b'{"format": 1, "files": {}'])
def test_a_folder_without_a_readable_manifest_is_no_bundle(bundle: Path, manifest: bytes | None) -> None:
    (bundle / "manifest.json").unlink()
    if manifest is not None:
        (bundle / "manifest.json").write_bytes(manifest)
    with pytest.raises(BundleError):
        Scorer.load(bundle)


def test_a_bundle_of_another_format_is_refused(bundle: Path) -> None:
    content = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        Scorer.load(bundle)


def test_an_altered_manifest_is_another_version(bundle: Path) -> None:
    before = read_manifest(bundle).version
    content = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(content | {"facts": {}}))
    assert read_manifest(bundle).version != before


# Harmless


def test_nothing_in_a_bundle_can_be_executed(small_bundle: Path) -> None:
    assert not [name for name in folder_files(small_bundle) if name.endswith(EXECUTABLE)]
    for path in small_bundle.rglob("*.npy"):
        assert b"'descr': '|O'" not in path.read_bytes()[:128]


def test_no_name_of_a_record_is_in_the_telemetry(small_bundle: Path, small_frames) -> None:
    telemetry = pl.read_parquet(small_bundle / "telemetry.parquet")
    text = {v for c in telemetry.columns if telemetry[c].dtype == pl.String for v in telemetry[c].unique()}
    assert not text & set(small_frames.records["name"])
