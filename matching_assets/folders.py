"""What an asset returns that is no table: components, facts and small tables, written into one folder.

The folder IO manager stores it under the digest of its files and hands the next asset its path, so equal content is
stored once and a `Folder` must write the same bytes for the same content.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from matching.files import atomic_write, write_json
from resources.folders import Savable

FACTS = "facts.json"


@dataclass(frozen=True)
class Folder:
    """`components` save themselves; `facts` are JSON; `tables`, `arrays` and `texts` are files by name."""

    components: Sequence[Savable] = ()
    facts: Mapping[str, Any] | None = None
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write everything into `folder`."""
        for component in self.components:
            component.save(folder)
        if self.facts is not None:
            write_json(folder / FACTS, self.facts)
        for name, table in self.tables.items():
            table.write_parquet(folder / f"{name}.parquet")
        for name, array in self.arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        for name, text in self.texts.items():
            atomic_write(folder / name, text)


def facts_in(folder: Path) -> dict[str, Any]:
    """The facts of a stored folder."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    return facts


def table_in(folder: Path, name: str) -> pl.DataFrame:
    """A table of a stored folder."""
    return pl.read_parquet(folder / f"{name}.parquet")


def array_in(folder: Path, name: str) -> np.ndarray:
    """An array of a stored folder, memory-mapped."""
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
