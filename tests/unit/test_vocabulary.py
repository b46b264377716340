"""Names in columns: tokens are numbered, and nothing of them is lost on the way."""

import numpy as np
import pytest

from matching.vocabulary import NameTable, Vocabulary, inverse_document_frequency, known_as

NAMES = ["zenith copper", "northolt", "", "copper zenith copper"]


@pytest.fixture
def table() -> NameTable:
    return NameTable.of(NAMES)


@pytest.mark.parametrize("words", [[], ["a"], ["zenith", "7", "copper"]])
def test_words_come_back_in_their_order(words: list[str]) -> None:
    vocabulary = Vocabulary.of(words)
    assert (vocabulary.words(), len(vocabulary)) == (words, len(words))


def test_names_come_back_from_their_numbers(table: NameTable) -> None:
    words = table.vocabulary.words()
    spans = zip(table.starts[:-1], table.starts[1:], strict=True)
    assert [" ".join(words[t] for t in table.tokens[a:b]) for a, b in spans] == NAMES


def test_a_word_has_one_number(table: NameTable) -> None:
    assert table.vocabulary.words() == ["zenith", "copper", "northolt"]


def test_a_word_counts_once_a_name(table: NameTable) -> None:
    assert table.document_frequency().tolist() == [2, 2, 1]


def test_no_names_are_a_table_too() -> None:
    table = NameTable.of([])
    assert (len(table), len(table.vocabulary), table.document_frequency().tolist()) == (0, 0, [])


def test_words_of_records_are_known_by_the_number_of_the_reference(table: NameTable) -> None:
    assert known_as(table.vocabulary, Vocabulary.of(["copper", "bank", "northolt"])).tolist() == [-1, 0, 2]


def test_a_rarer_word_weighs_more_and_none_weighs_nothing() -> None:
    idf = inverse_document_frequency(np.array([1, 2, 50, 100]), 100)
    assert (np.diff(idf) < 0).all()
    assert idf[-1] == np.float32(0.05)
    assert idf[1] == np.float32(np.log(101 / 2.5))
