"""The folder IO manager: what an asset returns is stored as an immutable folder, and the next asset gets a local path.

An asset returns a component with `save(folder)`, or the path of a folder. Its files go to the object store under their
digest; then a pointer, `assets/<asset key>[/<partition>]`, is moved to that digest in one step. A run killed in between
leaves the pointer on the last good version. The digest becomes the asset's DataVersion, and digest, size and number of
files its metadata.
"""

import tempfile
from pathlib import Path
from typing import Protocol, runtime_checkable

import dagster as dg

from resources.lineage import record_data_version
from resources.store import MissingError, ObjectStore


@runtime_checkable
class Savable(Protocol):
    """A component that is a folder."""

    def save(self, folder: Path) -> None:
        """Write the component's files into `folder`, which exists and is empty."""


class FolderIOManager(dg.ConfigurableIOManager):
    """Stores what assets return in `store`; see the module."""

    store: dg.ResourceDependency[ObjectStore]

    def handle_output(self, context: dg.OutputContext, obj: Savable | Path) -> None:
        """Store `obj` and point the asset (and partition) at it."""
        digest = self._put(obj)
        self.store.put_json(pointer_key(context), {"digest": digest, "run_id": context.run_id})
        files = [path for path in self.store.get_folder(digest).rglob("*") if path.is_file()]
        context.add_output_metadata(
            {
                "digest": digest,
                "size_bytes": sum(path.stat().st_size for path in files),
                "files": len(files),
                "stored_at": self.store.uri(digest),
            }
        )
        record_data_version(context, digest)

    def load_input(self, context: dg.InputContext) -> Path:
        """The local path of the upstream asset's folder. MissingError: it was never materialised."""
        return self._get(pointer_key(context))

    def read(self, asset: str, partition: str | None = None) -> Path:
        """The local path of an asset's newest folder, outside of a run. MissingError: it was never materialised."""
        return self._get("/".join(["assets", asset, *([partition] if partition else [])]))

    def _put(self, obj: Savable | Path) -> str:
        if isinstance(obj, Path):
            return self.store.put_folder(obj)
        if not isinstance(obj, Savable):
            raise TypeError(f"a {type(obj).__name__} is no folder: return a Path, or a component with save(folder)")
        with tempfile.TemporaryDirectory() as scratch:
            obj.save(Path(scratch))
            return self.store.put_folder(Path(scratch))

    def _get(self, key: str) -> Path:
        pointer = self.store.get_json(key)
        if pointer is None:
            raise MissingError(f"nothing is stored at {key}: materialise that asset first")
        return self.store.get_folder(pointer["digest"])


def pointer_key(context: dg.OutputContext | dg.InputContext) -> str:
    """The object store's key of the asset (and partition) that `context` writes or reads."""
    return "/".join(["assets", *context.get_asset_identifier()])
