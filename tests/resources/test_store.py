"""The contract of the object store, held by each implementation."""

import threading
from pathlib import Path

import pytest

from matching.files import folder_digest, folder_files
from resources.store import ConflictError, CorruptError, LocalStore, MissingError, ObjectStore, S3Store

NOWHERE = "0" * 64


def test_a_folder_comes_back_with_its_files(store: ObjectStore, folder: Path) -> None:
    digest = store.put_folder(folder)

    assert digest == folder_digest(folder)
    assert folder_files(store.get_folder(digest)) == folder_files(folder)


def test_the_same_files_are_stored_once(store: ObjectStore, folder: Path) -> None:
    assert store.put_folder(folder) == store.put_folder(folder)
    assert len(store.folders()) == 1


def test_a_stored_folder_does_not_follow_its_source(store: ObjectStore, folder: Path) -> None:
    digest = store.put_folder(folder)
    (folder / "manifest.json").write_text("{'changed': true}")

    assert (store.get_folder(digest) / "manifest.json").read_text() == "{}"


def test_stored_files_are_read_only(store: ObjectStore, folder: Path) -> None:
    path = store.get_folder(store.put_folder(folder))

    assert all(p.stat().st_mode & 0o222 == 0 for p in path.rglob("*") if p.is_file())


def test_a_folder_without_files_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ValueError, match="holds no file"):
        store.put_folder(tmp_path / "empty")


def test_a_folder_that_was_never_stored_is_missing(store: ObjectStore) -> None:
    assert not store.exists(NOWHERE)
    with pytest.raises(MissingError):
        store.get_folder(NOWHERE)


@pytest.mark.parametrize("digest", ["", "abc", "../../etc", NOWHERE.replace("0", "G")])
def test_what_is_no_digest_is_refused(store: ObjectStore, digest: str) -> None:
    with pytest.raises(ValueError, match="no digest"):
        store.get_folder(digest)


def test_all_stored_folders_are_listed(store: ObjectStore, folder: Path) -> None:
    first = store.put_folder(folder)
    (folder / "more.txt").write_text("more")
    second = store.put_folder(folder)

    assert store.folders() == sorted([first, second])


def test_a_document_comes_back(store: ObjectStore) -> None:
    value = {"digest": NOWHERE, "numbers": [1, 2.5, None], "name": "Société"}
    store.put_json("assets/ranker/2024-01-31", value)

    assert store.get_json("assets/ranker/2024-01-31") == value


def test_a_document_that_was_never_written_is_none(store: ObjectStore) -> None:
    assert store.get_json("assets/ranker") is None


def test_a_document_is_replaced_when_it_is_as_expected(store: ObjectStore) -> None:
    store.put_json("champion", {"version": 1}, expected=None)
    store.put_json("champion", {"version": 2}, expected={"version": 1})

    assert store.get_json("champion") == {"version": 2}


@pytest.mark.parametrize("expected", [None, {"version": 7}])
def test_a_document_that_is_not_as_expected_stays(store: ObjectStore, expected: object) -> None:
    store.put_json("champion", {"version": 1})

    with pytest.raises(ConflictError):
        store.put_json("champion", {"version": 2}, expected=expected)
    assert store.get_json("champion") == {"version": 1}


def test_a_document_that_should_be_there_and_is_not_is_a_conflict(store: ObjectStore) -> None:
    with pytest.raises(ConflictError):
        store.put_json("champion", {"version": 2}, expected={"version": 1})


def test_of_many_writers_that_expect_the_same_exactly_one_wins(store: ObjectStore) -> None:
    store.put_json("champion", {"version": 0})
    start, won = threading.Barrier(8), []

    def move(version: int) -> None:
        start.wait()
        try:
            store.put_json("champion", {"version": version}, expected={"version": 0})
            won.append(version)
        except ConflictError:
            pass

    writers = [threading.Thread(target=move, args=(version,)) for version in range(1, 9)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(won) == 1
    assert store.get_json("champion") == {"version": won[0]}


def test_documents_are_listed_below_a_prefix(store: ObjectStore) -> None:
    for key in ("assets/b", "assets/a/2024-01-31", "assets/a/2024-01-30", "champion"):
        store.put_json(key, {})

    assert store.list_json("assets") == ["assets/a/2024-01-30", "assets/a/2024-01-31", "assets/b"]
    assert store.list_json("nothing") == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "../a", "a/../b", ".a", "sha256/x", "a b"])
def test_a_key_that_is_no_safe_path_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        store.put_json(key, {})


def test_an_altered_folder_is_not_handed_out_and_is_healed_by_storing_it_again(tmp_path: Path, folder: Path) -> None:
    store = LocalStore(root=str(tmp_path / "store"))
    digest = store.put_folder(folder)
    altered = store.get_folder(digest) / "manifest.json"
    altered.chmod(0o644)
    altered.write_text("{ }")

    with pytest.raises(CorruptError):
        store.get_folder(digest)
    store.put_folder(folder)
    assert (store.get_folder(digest) / "manifest.json").read_text() == "{}"


def test_an_altered_copy_in_the_cache_is_fetched_again(s3_store: S3Store, folder: Path) -> None:
    digest = s3_store.put_folder(folder)
    altered = s3_store.get_folder(digest) / "manifest.json"
    altered.chmod(0o644)
    altered.write_text("{ }")

    assert (s3_store.get_folder(digest) / "manifest.json").read_text() == "{}"


def test_what_was_altered_in_the_bucket_is_not_handed_out(s3_store: S3Store, folder: Path, tmp_path: Path) -> None:
    digest = s3_store.put_folder(folder)
    s3_store.client.put_object(Bucket=s3_store.bucket, Key=f"matching/sha256/{digest}/manifest.json", Body=b"{ }")

    with pytest.raises(CorruptError):
        S3Store(bucket=s3_store.bucket, cache=str(tmp_path / "other")).get_folder(digest)


def test_an_interrupted_upload_is_invisible_and_is_completed_by_the_next_one(
    s3_store: S3Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, uploaded = s3_store.client.upload_file, []

    def break_off(path: str, bucket: str, key: str) -> None:
        if uploaded:
            raise ConnectionResetError
        upload(path, bucket, key)
        uploaded.append(key)

    elsewhere = S3Store(bucket=s3_store.bucket, cache=str(tmp_path / "elsewhere"))
    digest = folder_digest(folder)
    with monkeypatch.context() as patch:
        patch.setattr(s3_store.client, "upload_file", break_off)
        with pytest.raises(ConnectionResetError):
            s3_store.put_folder(folder)

    assert uploaded
    assert not elsewhere.exists(digest)
    assert elsewhere.folders() == []
    with pytest.raises(MissingError):
        elsewhere.get_folder(digest)

    s3_store.put_folder(folder)
    assert folder_files(elsewhere.get_folder(digest)) == folder_files(folder)


def test_another_machine_reads_what_one_has_stored(s3_store: S3Store, folder: Path, tmp_path: Path) -> None:
    digest = s3_store.put_folder(folder)

    other = S3Store(bucket=s3_store.bucket, cache=str(tmp_path / "other"))
    assert folder_files(other.get_folder(digest)) == folder_files(folder)
    assert other.uri(digest) == f"s3://{s3_store.bucket}/matching/sha256/{digest}/"


def test_what_a_killed_writer_left_is_swept_after_a_day(tmp_path: Path, folder: Path) -> None:
    import os

    store = LocalStore(root=str(tmp_path / "store"))
    old, young = tmp_path / "store" / "incoming" / "old", tmp_path / "store" / "incoming" / "young"
    for leftover in (old, young):
        leftover.mkdir(parents=True)
    os.utime(old, (0, 0))

    store.put_folder(folder)
    assert (old.exists(), young.exists()) == (False, True)
