"""The name encoder: trained the same way every time, read without torch as torch would read it."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.retrieval.encoder import Encoder, EncoderConfig, encoder_terms, quantise
from matching.retrieval.perturb import perturb
from matching.retrieval.search import LANES
from matching.vocabulary import NameTable

NAMES = ["Zenith Copper Mining Inc", "Northolt Bank AG", "Summit Energy Partners LP", "Meta Platforms Inc", "3M Co"]
TINY = EncoderConfig(dim=8, batch=4, steps=3)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.train(NAMES, [("Facebook", "Meta Platforms Inc")], TINY)


def test_the_same_names_and_seed_give_the_same_weights(encoder: Encoder) -> None:
    again = Encoder.train(NAMES, [("Facebook", "Meta Platforms Inc")], TINY)
    assert again.table.tobytes() == encoder.table.tobytes()
    assert again.layer.tobytes() == encoder.layer.tobytes()


def test_another_seed_gives_other_weights(encoder: Encoder) -> None:
    other = Encoder.train(NAMES, [], EncoderConfig(dim=8, batch=4, steps=3, seed=8))
    assert other.table.tobytes() != encoder.table.tobytes()


def test_a_loaded_encoder_embeds_as_the_one_that_was_trained(encoder: Encoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert loaded.config == TINY
    assert loaded.embed(NAMES).tobytes() == encoder.embed(NAMES).tobytes()


def test_vectors_are_those_that_torch_computes(encoder: Encoder) -> None:
    import torch

    terms, starts = encoder_terms(NameTable.of(NAMES))
    mean = torch.nn.functional.embedding_bag(
        torch.from_numpy(terms).long(), torch.from_numpy(encoder.table), torch.from_numpy(starts[:-1]), mode="mean"
    )
    expected = torch.nn.functional.normalize(mean + torch.relu(mean) @ torch.from_numpy(encoder.layer), dim=1)
    np.testing.assert_allclose(encoder.embed(NAMES), expected.numpy(), atol=1e-5)


def test_vectors_have_length_one_and_a_name_without_words_has_none(encoder: Encoder) -> None:
    lengths = np.linalg.norm(encoder.embed([*NAMES, "", "\U0001f600"]), axis=1)
    np.testing.assert_allclose(lengths, [1] * len(NAMES) + [0, 0], atol=1e-6)


def test_a_name_is_embedded_alone_as_in_a_batch(encoder: Encoder) -> None:
    batch = encoder.embed(NAMES)
    assert all(encoder.embed([n]).tobytes() == row.tobytes() for n, row in zip(NAMES, batch, strict=True))


def test_training_brings_a_known_rename_together() -> None:
    def similarity(steps: int) -> float:
        encoder = Encoder.train(NAMES, [("Facebook", "Meta Platforms Inc")], EncoderConfig(dim=8, batch=4, steps=steps))
        left, right = encoder.embed(["Facebook", "Meta Platforms"])
        return float(left @ right)

    assert similarity(25) > similarity(1) + 0.3


def test_progress_goes_up_to_the_whole() -> None:
    shares: list[float] = []
    Encoder.train(NAMES, [], TINY, shares.append)
    assert shares == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]


# Eight bits a number


def test_codes_turn_back_into_their_vectors(encoder: Encoder) -> None:
    vectors = encoder.embed(NAMES)
    codes, scale = quantise(vectors)
    np.testing.assert_allclose(codes[:, :8] * scale[:, None], vectors, atol=float(scale.max()) / 2 + 1e-7)
    assert not codes[:, 8:].any()


def test_no_vector_has_no_code() -> None:
    codes, scale = quantise(np.zeros((2, 0), np.float32))
    assert (codes.shape, scale.tolist()) == ((2, 0), [0.0, 0.0])


def test_a_vector_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        quantise(np.zeros((1, LANES + 1), np.float32))


# Other writings of a name


@given(st.text(max_size=60).filter(lambda text: text.split()), st.integers(0, 2**32))
def test_another_writing_is_never_empty_and_follows_from_the_dice(name: str, seed: int) -> None:
    written = perturb(name, random.Random(seed))
    assert written.strip()
    assert perturb(name, random.Random(seed)) == written


def test_most_other_writings_are_not_the_name_itself() -> None:
    dice = random.Random(7)
    assert sum(perturb(NAMES[0], dice) != NAMES[0] for _ in range(100)) > 90


def test_training_goes_on_from_the_weights_of_another(encoder: Encoder) -> None:
    still = EncoderConfig(dim=8, batch=4, steps=0)
    on = Encoder.train(NAMES, [], still, start=encoder)
    assert on.table.tobytes() == encoder.table.tobytes()
    assert on.layer.tobytes() == encoder.layer.tobytes()
    moved = Encoder.train(NAMES, [], TINY, start=encoder)
    assert moved.table.tobytes() != encoder.table.tobytes()
    assert (
        np.abs(moved.table - encoder.table).max() < np.abs(Encoder.train(NAMES, [], still).table - encoder.table).max()
    )


def test_an_encoder_of_another_size_is_no_start(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="of 8 dimensions is no start for one of 16"):
        Encoder.train(NAMES, [], EncoderConfig(dim=16, batch=4, steps=1), start=encoder)
