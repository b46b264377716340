"""The object store: content-addressed folders that never change, and small JSON documents (pointers) that are swapped.

A folder is stored under the sha256 of its files, becomes visible only when it is whole, and is verified whenever it is
fetched. Storing the same files twice stores them once. A document is replaced atomically; with `expected=` only if it
still holds that value, so that of two writers one gets a ConflictError and no write is lost. Both stores look alike:

    sha256/<digest>/...     the files of a folder
    <key>.json              a document; keys are slash-separated, for instance `assets/ranker/2024-01-31`
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import dagster as dg
from filelock import FileLock

from matching.files import atomic_folder, folder_digest, folder_files, write_json
from resources.aws import s3_client

Json = dict[str, Any]
ANY: Final = object()
"""`expected=ANY`: replace the document whatever it holds. (`expected=None`: only if there is none yet.)"""

RESERVED = ("sha256", "incoming")
DAY_SECONDS = 24 * 3600
REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
"""How S3 answers a conditional write that comes too late: changed, being changed, deleted."""


class ConflictError(RuntimeError):
    """A document does not hold what the caller expected: somebody else moved it. Read it again and decide anew."""


class MissingError(LookupError):
    """There is no such folder or document."""


class CorruptError(RuntimeError):
    """A stored folder's files no longer have the digest it is named by."""


class ObjectStore(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface. Digests are 64 hex digits; paths that `get_folder` returns are for reading only."""

    @abstractmethod
    def put_folder(self, folder: Path) -> str:
        """Store a folder's files and return their digest. ValueError: it holds no file."""

    @abstractmethod
    def get_folder(self, digest: str) -> Path:
        """A local folder with exactly the files of `digest`. MissingError, CorruptError."""

    @abstractmethod
    def exists(self, digest: str) -> bool:
        """Whether the folder is stored, whole."""

    @abstractmethod
    def folders(self) -> list[str]:
        """The digests of all stored folders, sorted."""

    @abstractmethod
    def uri(self, digest: str) -> str:
        """Where the files of a folder lie, for programs that read them there."""

    @abstractmethod
    def put_json(self, key: str, value: Json, expected: object = ANY) -> None:
        """Replace a document. ConflictError: it does not hold `expected` (None: it must not exist)."""

    @abstractmethod
    def get_json(self, key: str) -> Json | None:
        """The document, or None."""

    @abstractmethod
    def list_json(self, prefix: str) -> list[str]:
        """The keys below `prefix/`, sorted."""


def checked_key(key: str) -> str:
    """`key` if it is a slash-separated key that is safe as a path. ValueError otherwise."""
    parts = key.split("/")
    if parts[0] in RESERVED or not all(re.fullmatch(r"[A-Za-z0-9_=+:-][A-Za-z0-9._=+:-]*", part) for part in parts):
        raise ValueError(f"{key!r} is no key: use letters, digits and ._=+:- in parts separated by /, not {RESERVED}")
    return key


def checked_digest(digest: str) -> str:
    """`digest` if it is a sha256 in hex. ValueError otherwise."""
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError(f"{digest!r} is no digest: 64 hex digits are expected")
    return digest


class LocalStore(ObjectStore):
    """Below a folder of this machine. A process killed at any point leaves every stored folder and document whole."""

    root: str

    def put_folder(self, folder: Path) -> str:
        """See ObjectStore. The digest is the copy's, so it is right even if `folder` is written to meanwhile."""
        self._sweep()
        incoming = Path(self.root) / "incoming" / uuid.uuid4().hex
        try:
            with atomic_folder(incoming) as scratch:
                shutil.copytree(folder, scratch, copy_function=shutil.copyfile, dirs_exist_ok=True)
                files = [path for path in scratch.rglob("*") if path.is_file()]
                if not files:
                    raise ValueError(f"{folder} holds no file, so there is nothing to store")
                for path in files:
                    path.chmod(0o444)
            digest = folder_digest(incoming)
            target = self._folder(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and folder_digest(target) != digest:
                os.replace(target, incoming.with_suffix(".corrupt"))
            try:
                incoming.rename(target)
            except OSError:  # a folder cannot be renamed onto another: somebody else has stored the same files
                if not target.exists():
                    raise
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return digest

    def get_folder(self, digest: str) -> Path:
        """See ObjectStore. The path is the stored folder itself."""
        path = self._folder(digest)
        if not path.exists():
            raise MissingError(f"no folder {digest} in {self.root}")
        if folder_digest(path) != digest:
            raise CorruptError(f"the files in {path} were altered; store the folder again, or restore it from a backup")
        return path

    def exists(self, digest: str) -> bool:
        """See ObjectStore."""
        return self._folder(digest).exists()

    def folders(self) -> list[str]:
        """See ObjectStore."""
        return sorted(path.name for path in (Path(self.root) / "sha256").glob("*"))

    def uri(self, digest: str) -> str:
        """See ObjectStore."""
        return self._folder(digest).resolve().as_uri()

    def put_json(self, key: str, value: Json, expected: object = ANY) -> None:
        """See ObjectStore. The lock is the operating system's: it is free again when its holder dies."""
        path = self._document(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if expected is not ANY and self.get_json(key) != expected:
                raise ConflictError(f"{key} is not what was expected: somebody else has written it")
            write_json(path, value)

    def get_json(self, key: str) -> Json | None:
        """See ObjectStore."""
        path = self._document(key)
        try:
            value: Json = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        return value

    def list_json(self, prefix: str) -> list[str]:
        """See ObjectStore."""
        root = Path(self.root)
        found = (root / checked_key(prefix)).rglob("[!.]*.json")
        return sorted(path.relative_to(root).with_suffix("").as_posix() for path in found)

    def _folder(self, digest: str) -> Path:
        return Path(self.root) / "sha256" / checked_digest(digest)

    def _document(self, key: str) -> Path:
        return Path(self.root) / f"{checked_key(key)}.json"

    def _sweep(self) -> None:
        """Remove what writers that were killed more than a day ago left behind."""
        for leftover in (Path(self.root) / "incoming").glob("*"):
            with suppress(FileNotFoundError):  # another writer finished, or swept it first
                if time.time() - leftover.stat().st_mtime > DAY_SECONDS:
                    shutil.rmtree(leftover, ignore_errors=True)


class S3Store(ObjectStore):
    """In an S3 bucket, with a local cache of folders.

    A folder's manifest (`sha256/<digest>.json`: path to sha256) is put last, and a folder without one does not exist:
    an upload that was interrupted is invisible, and storing the folder again completes it. Documents rely on S3's
    conditional writes. (When S3's answer to a write is lost and the client repeats it, a writer may see a ConflictError
    for its own write; a write is never lost.)
    """

    bucket: str
    cache: str
    prefix: str = "matching"
    region_name: str | None = None
    endpoint_url: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return s3_client(self.region_name, self.endpoint_url)

    def put_folder(self, folder: Path) -> str:
        """See ObjectStore. What is uploaded is the cache's copy, which nobody writes to."""
        digest = self._cached.put_folder(folder)
        if not self.exists(digest):
            copy = self._cached.get_folder(digest)
            files = folder_files(copy)
            for name in files:
                self.client.upload_file(str(copy / name), self.bucket, f"{self._folder(digest)}/{name}")
            self._put(self._manifest(digest), files)
        return digest

    def get_folder(self, digest: str) -> Path:
        """See ObjectStore. Downloads once; the cached copy is verified each time, and fetched anew if altered."""
        try:
            return self._cached.get_folder(digest)
        except (MissingError, CorruptError):
            self._download(digest)
        return self._cached.get_folder(digest)

    def exists(self, digest: str) -> bool:
        """See ObjectStore."""
        return self._read(self._manifest(digest))[0] is not None

    def folders(self) -> list[str]:
        """See ObjectStore."""
        below = f"{self.prefix}/sha256/"
        return sorted(key.removeprefix(below).removesuffix(".json") for key in self._keys(below, Delimiter="/"))

    def uri(self, digest: str) -> str:
        """See ObjectStore. Ends with a slash, as SageMaker wants a prefix."""
        return f"s3://{self.bucket}/{self._folder(digest)}/"

    def put_json(self, key: str, value: Json, expected: object = ANY) -> None:
        """See ObjectStore."""
        condition = {}
        if expected is not ANY:
            current, etag = self._read(self._document(key))
            if current != expected:
                raise ConflictError(f"{key} is not what was expected: somebody else has written it")
            condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        self._put(self._document(key), value, **condition)

    def get_json(self, key: str) -> Json | None:
        """See ObjectStore."""
        return self._read(self._document(key))[0]

    def list_json(self, prefix: str) -> list[str]:
        """See ObjectStore."""
        below = f"{self.prefix}/{checked_key(prefix)}/"
        return sorted(k.removeprefix(f"{self.prefix}/").removesuffix(".json") for k in self._keys(below))

    @property
    def _cached(self) -> LocalStore:
        return LocalStore(root=self.cache)

    def _folder(self, digest: str) -> str:
        return f"{self.prefix}/sha256/{checked_digest(digest)}"

    def _manifest(self, digest: str) -> str:
        return f"{self._folder(digest)}.json"

    def _document(self, key: str) -> str:
        return f"{self.prefix}/{checked_key(key)}.json"

    def _download(self, digest: str) -> None:
        files, _ = self._read(self._manifest(digest))
        if files is None:
            raise MissingError(f"no folder {digest} in s3://{self.bucket}/{self.prefix}")
        with tempfile.TemporaryDirectory() as scratch:
            for name in files:
                path = Path(scratch) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                self.client.download_file(self.bucket, f"{self._folder(digest)}/{name}", str(path))
            if folder_digest(Path(scratch)) != digest:
                raise CorruptError(f"the files in {self.uri(digest)} were altered; delete them and store them again")
            self._cached.put_folder(Path(scratch))

    def _read(self, key: str) -> tuple[Json | None, str | None]:
        """The JSON object at `key` and its ETag, or None twice."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
        except self.client.exceptions.NoSuchKey:
            return None, None
        return json.loads(answer["Body"].read()), answer["ETag"]

    def _put(self, key: str, value: Json, **condition: str) -> None:
        from botocore.exceptions import ClientError

        body = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json", **condition)
        except ClientError as problem:
            if condition and problem.response["Error"]["Code"] in REFUSED:
                raise ConflictError(f"{key} was written by somebody else at the same time") from problem
            raise

    def _keys(self, below: str, **options: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below, **options)
        return [item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"].endswith(".json")]
