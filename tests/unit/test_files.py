"""Files and folders that appear whole or not at all, and digests that name their bytes."""

import hashlib
from pathlib import Path

import pytest

from matching.files import atomic_folder, atomic_write, file_digest, folder_digest, folder_files, write_json


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a" / "b.txt", "Übung")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "Übung".encode()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    atomic_write(tmp_path / "f", b"old")
    with pytest.raises(TypeError):
        atomic_write(tmp_path / "f", 3)  # type: ignore[arg-type]
    assert ((tmp_path / "f").read_bytes(), names(tmp_path)) == (b"old", ["f"])


def test_equal_values_give_equal_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "y": [2.5, None]})
    write_json(tmp_path / "b", {"y": [2.5, None], "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a", float("nan"))
    assert names(tmp_path) == []


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert names(tmp_path / "out") == ["a"]
    assert names(tmp_path) == ["out"]


def test_a_folder_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("old")
    with pytest.raises(TypeError), atomic_folder(tmp_path / "out") as draft:
        (draft / "a").write_text(3)  # type: ignore[arg-type]
    assert ((tmp_path / "out" / "a").read_text(), names(tmp_path)) == ("old", ["out"])


def test_a_new_folder_replaces_the_old_one_with_all_its_files(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "out") as draft:
            (draft / name).touch()
    assert (names(tmp_path / "out"), names(tmp_path)) == (["new"], ["out"])


def test_a_file_digest_is_its_sha256(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192  # more than one block
    (tmp_path / "f").write_bytes(data)
    assert file_digest(tmp_path / "f") == hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("1")
    (tmp_path / "sub" / "b").write_text("2")
    return tmp_path


def test_a_listing_has_every_file_by_its_relative_path(folder: Path) -> None:
    assert list(folder_files(folder)) == ["a", "sub/b"]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a").write_text("3"),
        lambda folder: (folder / "a").rename(folder / "c"),
        lambda folder: (folder / "extra").touch(),
        lambda folder: (folder / "sub" / "b").unlink(),
    ],
)
def test_a_folder_digest_changes_with_any_file(folder: Path, change) -> None:
    before = folder_digest(folder)
    change(folder)
    assert folder_digest(folder) != before


def test_a_folder_digest_does_not_depend_on_where_the_folder_is(folder: Path, tmp_path_factory) -> None:
    before = folder_digest(folder)
    assert folder_digest(folder.rename(tmp_path_factory.mktemp("x") / "elsewhere")) == before
