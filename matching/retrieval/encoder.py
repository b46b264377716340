"""The name encoder: a bag of trigrams and hashed words, trained contrastively with PyTorch, read with numpy and numba.

A name is the mean of the vectors of its trigrams and words, passed through one residual layer and scaled to length 1.
It is trained with InfoNCE (van den Oord et al. 2018) on two writings of one name: perturbed as feeds perturb them
(`matching.retrieval.perturb`), a labelled record and its reference, or a title and an earlier one; the other names of
the batch are the negatives. No weights are downloaded. Serving needs no torch: a vector is a few hundred additions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.files import write_json
from matching.retrieval.terms import terms_of
from matching.vocabulary import NameTable

WORD_BITS = 15
WORD_BUCKETS = 1 << WORD_BITS


@dataclass(frozen=True)
class EncoderConfig:
    """Size and training of the encoder. `steps` batches of `batch` pairs; `dim` at most LANES."""

    dim: int = 64
    batch: int = 256
    steps: int = 240
    temperature: float = 0.06
    learning_rate: float = 4e-3
    seed: int = 7


@dataclass(frozen=True)
class Encoder:
    """Weights of a trained encoder. table: float32 [terms, dim], layer: float32 [dim, dim]."""

    config: EncoderConfig
    table: NDArray[np.float32]
    layer: NDArray[np.float32]

    @classmethod
    def train(
        cls,
        names: Sequence[str],
        pairs: Sequence[tuple[str, str]] = (),
        config: EncoderConfig | None = None,
        progress: Any = None,
        start: Encoder | None = None,
    ) -> Encoder:
        """Train on `names`, each against a perturbed writing of itself, and on `pairs` of writings of one entity.

        `progress` is called with the share done, 0..1. `start`: an encoder whose weights are gone on from. The same
        arguments give the same weights. Raises ValueError when `start` is of another size.
        """
        from matching.retrieval.encoder_training import train_weights

        config = config or EncoderConfig()
        if start is not None and start.config.dim != config.dim:
            raise ValueError(f"an encoder of {start.config.dim} dimensions is no start for one of {config.dim}")
        table, layer = train_weights(names, pairs, config, progress, (start.table, start.layer) if start else None)
        return cls(config, table, layer)

    def embed(self, names: Sequence[str | None] | pl.Series) -> NDArray[np.float32]:
        """Unit vectors of names, or zeros for a name without words. float32 [n, dim]."""
        return self.embed_table(NameTable.of(names))

    def embed_table(self, names: NameTable) -> NDArray[np.float32]:
        """As `embed`, of names that are parsed already."""
        from matching.retrieval.encoder_kernels import unit_vectors

        terms, starts = encoder_terms(names)
        return np.asarray(unit_vectors(terms, starts, self.table, self.layer), np.float32)

    def save(self, folder: Path) -> None:
        """Write `encoder.safetensors` and `encoder.json`."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({"layer": self.layer, "table": self.table.astype(np.float16)}, folder / "encoder.safetensors")
        write_json(folder / "encoder.json", asdict(self.config))

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """Read what `save` wrote; its embeddings are the same bytes as those of the encoder that was saved."""
        from safetensors.numpy import load_file

        weights = load_file(folder / "encoder.safetensors")
        config = EncoderConfig(**json.loads((folder / "encoder.json").read_text()))
        return cls(config, weights["table"].astype(np.float32), weights["layer"])


def encoder_terms(table: NameTable) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Term numbers of names: trigram codes, and words by hash. (int32 flat, int64 [n + 1])."""
    from matching.retrieval.grams import WORDS

    return terms_of(table, WORD_BITS, WORDS)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 codes and the scale that turns them back: vectors ~ codes * scale.

    Codes are padded with zeros: int8 [n, LANES] (or [n, 0] of vectors without length), float32 [n].
    Raises ValueError for vectors longer than LANES.
    """
    from matching.retrieval.encoder_kernels import int8_codes
    from matching.retrieval.search import LANES

    if vectors.shape[1] > LANES:
        raise ValueError(f"vectors of {vectors.shape[1]} numbers are longer than {LANES}")
    codes, scale = int8_codes(vectors, -(-vectors.shape[1] // LANES) * LANES)
    return codes, scale
