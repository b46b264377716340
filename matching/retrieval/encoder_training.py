"""Contrastive training of the encoder with PyTorch: a module of its own, because serving must not need torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matching.retrieval.perturb import perturb
from matching.vocabulary import NameTable

if TYPE_CHECKING:
    from matching.retrieval.encoder import EncoderConfig

# Of a batch, where labelled pairs exist: enough to learn renames, not enough to forget the reference.
LABELLED_SHARE = 0.35


def train_weights(
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    config: EncoderConfig,
    progress: Callable[[float], None] | None = None,
    start: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Table float32 [terms, dim] and layer float32 [dim, dim]; see `Encoder`. `start`: the same, to begin at."""
    import torch

    from matching.retrieval.encoder import WORD_BUCKETS, encoder_terms
    from matching.retrieval.grams import GRAMS

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the operations are small: handing them out to threads costs three times what it saves
    torch.manual_seed(config.seed)
    torch.use_deterministic_algorithms(True)
    dice = random.Random(config.seed)  # noqa: S311 - reproducible, not secret
    bag = torch.nn.EmbeddingBag(GRAMS + WORD_BUCKETS, config.dim, mode="mean", sparse=True)
    torch.nn.init.normal_(bag.weight, std=config.dim**-0.5)
    layer = torch.nn.Linear(config.dim, config.dim, bias=False)
    torch.nn.init.zeros_(layer.weight)
    if start is not None:
        with torch.no_grad():
            bag.weight.copy_(torch.from_numpy(np.array(start[0])))
            layer.weight.copy_(torch.from_numpy(np.array(start[1].T)))
    sparse = torch.optim.SparseAdam(list(bag.parameters()), lr=config.learning_rate)
    dense = torch.optim.Adam(layer.parameters(), lr=config.learning_rate)

    def vectors(names: NameTable) -> torch.Tensor:
        terms, starts = encoder_terms(names)
        mean = bag(torch.from_numpy(terms.astype(np.int64)), torch.from_numpy(starts[:-1].copy()))
        return torch.nn.functional.normalize(mean + layer(torch.relu(mean)), dim=1)

    labelled = min(round(config.batch * LABELLED_SHARE), len(pairs))
    order = list(range(len(names)))
    at = len(order)
    for step in range(config.steps):
        batch: list[tuple[str, str]] = [pairs[i] for i in dice.sample(range(len(pairs)), labelled)]
        while len(batch) < min(config.batch, labelled + len(names)):
            if at >= len(order):
                dice.shuffle(order)
                at = 0
            name = names[order[at]]
            at += 1
            batch.append((perturb(name, dice) if name.split() else name, name))
        titles = NameTable.of([b for _, b in batch])
        left, right = vectors(NameTable.of([a for a, _ in batch])), vectors(titles)
        target = torch.arange(len(batch))
        similarity = left @ right.T / config.temperature
        # Two rows of a batch can be the same entity under the same name: they are no negatives of each other.
        cores = titles.same_core()
        twins = torch.from_numpy((cores[:, None] == cores[None, :]) & ~np.eye(len(batch), dtype=bool))
        similarity = similarity.masked_fill(twins, -1e4)
        loss = torch.nn.functional.cross_entropy(similarity, target) + torch.nn.functional.cross_entropy(
            similarity.T, target
        )
        sparse.zero_grad()
        dense.zero_grad()
        loss.backward()
        sparse.step()
        dense.step()
        if progress is not None:
            progress((step + 1) / config.steps)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    # float16 is what is stored: rounding here makes a loaded encoder give the same bytes as the one that was trained.
    table = bag.weight.detach().numpy().astype(np.float16).astype(np.float32)
    return table, layer.weight.detach().numpy().T.astype(np.float32).copy()
