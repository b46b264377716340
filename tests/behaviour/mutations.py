"""Matchers that are wrong on purpose: inside each of these context managers the real matcher has one fault.

A fault is as small as it can be while being plainly wrong, and its name says what is then the case. They exist so that
a test can be shown to see something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unicodedata import normalize
from unittest.mock import patch

import numpy as np
import polars as pl

from matching import alignment, features, scoring
from matching.alignment import align_pairs
from matching.features import FEATURE_NAMES, feature_matrix
from matching.line_kernels import INITIALS
from matching.name_rules import PATTERNS, programs, rules
from matching.name_tables import INSTRUMENTS
from matching.names import MAX_TOKENS
from matching.ranker import Ranker
from matching.reasons import catalogue, reasons_column
from matching.retrieval import grams
from matching.retrieval.index import RetrievalIndex
from matching.vocabulary import NameTable, Vocabulary

Mutation = AbstractContextManager[Any]
COLUMN = {name: i for i, name in enumerate(FEATURE_NAMES)}


# How a record's name is read. The index keeps its own, right reading.


def _reading(change: Callable[[str], str]) -> Mutation:
    """Let names be read as if they were written otherwise."""
    read = NameTable.of
    return patch.object(NameTable, "of", lambda names: read([change(n or "") for n in names]))


def nothing(column: Any) -> Any:
    """A column of the rules that knows no word."""
    return np.full_like(column, -1)


def _ruled(**changes: Callable[[Any], Any]) -> Mutation:
    """Let columns of the rules of words be others."""
    table, forms = rules()
    changed = table._replace(**{name: change(getattr(table, name)) for name, change in changes.items()})
    return patch("matching.name_rules.rules", lambda: (changed, forms))


def names_are_taken_as_they_stand() -> Mutation:
    """Words are what stands between spaces, with their case and their points."""
    read = NameTable.of

    def as_they_stand(names: Sequence[str | None]) -> NameTable:
        words = [re.sub(r"[^ -~]", "", n or "").split()[:MAX_TOKENS] for n in names]
        number = {w: i for i, w in enumerate(dict.fromkeys(w for own in words for w in own))}
        tokens = np.array([number[w] for own in words for w in own], np.int32)
        starts = np.cumsum([0, *map(len, words)], dtype=np.int64)
        return replace(read(names), vocabulary=Vocabulary.of(list(number)), tokens=tokens, starts=starts)

    return patch.object(NameTable, "of", as_they_stand)


def points_and_spaces_are_letters() -> Mutation:
    return _reading(lambda raw: re.sub(r"[.,-]|^ | $|(?<= ) ", "x", raw))


def accented_letters_are_dropped() -> Mutation:
    return _reading(lambda raw: normalize("NFC", raw).encode("ascii", "ignore").decode())


def only_ascii_is_read() -> Mutation:
    return _reading(lambda raw: raw.encode("ascii", "ignore").decode())


def the_ampersand_is_no_word() -> Mutation:
    return _reading(lambda raw: raw.replace("&", "ampersand"))


def articles_are_kept() -> Mutation:
    return _reading(lambda raw: re.sub(r"\bthe\b", "article", raw.lower()))


def numerals_stay_as_written() -> Mutation:
    return _ruled(canonical=nothing)


def numbers_are_left_out() -> Mutation:
    return _reading(lambda raw: re.sub(r"\b(?:[IVX]+|\d+)\b", "", raw))


def legal_forms_are_words() -> Mutation:
    return _ruled(form=nothing)


def the_security_line_is_part_of_the_name() -> Mutation:
    right = programs()
    choices = right.choices.copy()
    choices[[i for i in range(len(PATTERNS) + len(INSTRUMENTS)) if i != INITIALS]] = 0  # no pattern can begin
    return patch("matching.name_rules.programs", lambda: right._replace(choices=choices))


def nothing_bars_a_match() -> Mutation:
    """Names that cannot be read, or that only look like what they are read as, are as good as any."""
    return patch("matching.decision.BARRING_FLAGS", 0)


# What is seen of a pair.


def _seeing(change: Callable[..., None]) -> Mutation:
    """Let `change` spoil the feature matrix; it is given the matrix and all that `feature_matrix` was given."""

    def spoilt(*given: Any) -> Any:
        matrix = feature_matrix(*given)
        change(matrix, *given)
        return matrix

    return patch("matching.scoring.feature_matrix", spoilt)


def share_classes_are_not_seen() -> Mutation:
    return _seeing(lambda matrix, *_: matrix[:, COLUMN["share_class"]].fill(0))


def countries_are_not_seen() -> Mutation:
    def unseen(index: Any, queries: Any, records: pl.DataFrame, *rest: Any) -> Any:
        return feature_matrix(index, queries, records.drop("country", strict=False), *rest)

    return patch("matching.scoring.feature_matrix", unseen)


def unknown_countries_agree() -> Mutation:
    """A country that no reference has is as good as the right one."""

    def change(matrix: Any, *_: Any) -> None:
        matrix[:, COLUMN["same_country"]] = np.abs(matrix[:, COLUMN["same_country"]])

    return _seeing(change)


def blank_is_a_country() -> Mutation:
    """An attribute without a value is compared with those that have one."""
    right = features.forms_of
    return patch.object(
        features, "forms_of", lambda records: {a: [f or "" for f in forms] for a, forms in right(records).items()}
    )


def the_batch_is_the_measure() -> Mutation:
    """A similarity counts by what it is above the mean of the batch."""

    def change(matrix: Any, *_: Any) -> None:
        for name in ("lexical", "letters", "lexical_lead"):
            matrix[:, COLUMN[name]] -= matrix[:, COLUMN[name]].mean()

    return _seeing(change)


def the_size_of_the_reference_counts() -> Mutation:
    def change(matrix: Any, index: RetrievalIndex, *_: Any) -> None:
        for name in ("lexical_lead", "cover_lead", "lexical"):
            matrix[:, COLUMN[name]] *= index.master.height % 2

    return _seeing(change)


def the_number_of_columns_counts() -> Mutation:
    def change(matrix: Any, index: RetrievalIndex, queries: Any, records: pl.DataFrame, *_: Any) -> None:
        for name in ("lexical_lead", "cover_lead", "lexical"):
            matrix[:, COLUMN[name]] /= records.width

    return _seeing(change)


def _aligning(change: Callable[[Any, Any, Any], None]) -> Mutation:
    """Let `change` spoil how the words of each pair are aligned; it is given match and kind, and the sizes."""

    def spoilt(*given: Any) -> None:
        align_pairs(*given)
        match, kind = given[-2:]
        for p, (r, v) in enumerate(zip(given[0], given[1], strict=True)):
            change(match[p], kind[p], (np.diff(given[3])[r], np.diff(given[8])[v]))

    return patch("matching.alignment.align_pairs", spoilt)


def only_equal_words_align() -> Mutation:
    """The alignment knows neither abbreviations nor spelling, joined words or initials."""

    def strict(match: Any, kind: Any, _: Any) -> None:
        match[kind != alignment.EXACT] = -1

    return _aligning(strict)


def left_over_words_belong_together() -> Mutation:
    """A word without a partner gets the first other one that has none."""

    def loose(match: Any, kind: Any, size: tuple[int, int]) -> None:
        left, right = (np.flatnonzero(m[:n] < 0) for m, n in zip(match, size, strict=True))
        for i, j in zip(left, right, strict=False):
            match[0, i], match[1, j] = j, i
            kind[0, i] = kind[1, j] = alignment.SPELLING

    return _aligning(loose)


def only_the_record_may_err() -> Mutation:
    """A word of the reference has a partner only if that is equal."""

    def lopsided(match: Any, kind: Any, _: Any) -> None:
        match[1, kind[1] != alignment.EXACT] = -1

    return _aligning(lopsided)


# Where candidates are looked for.


def initials_are_not_looked_up() -> Mutation:
    """A record is looked for by its trigrams and words alone."""
    terms = grams.all_terms
    return patch(
        "matching.retrieval.grams.all_terms",
        lambda *given: terms(*given[:5], grams.WORDS),
    )


# How candidates are ranked.


def _ranking(change: Callable[[Any, Any], Any]) -> Mutation:
    """Let `change` give other margins, from the right ones and the pair features."""
    right = Ranker.margins
    return patch.object(Ranker, "margins", lambda self, pairs: change(right(self, pairs), pairs))


def only_equal_names_count() -> Mutation:
    """The matcher is a look-up of names: other than equal is other."""
    return _ranking(lambda margins, pairs: np.where(pairs[:, COLUMN["same_name"]] == 1, margins, -9.0))


def the_first_word_decides() -> Mutation:
    return _ranking(lambda margins, pairs: 9.0 * pairs[:, COLUMN["first_word"]].astype(np.float64) - 4.5)


def another_country_rules_a_candidate_out() -> Mutation:
    return _ranking(lambda margins, pairs: np.where(pairs[:, COLUMN["same_country"]] < 0, -9.0, margins))


def later_rows_rank_lower() -> Mutation:
    return _ranking(lambda margins, pairs: margins - 1e-6 * np.arange(len(pairs)))


def candidates_share_one_probability() -> Mutation:
    """A softmax over the candidates in place of a probability of each."""
    from matching.decision import rank

    return patch(
        "matching.scoring.rank",
        lambda owner, margins, records: rank(owner, margins - np.log(np.bincount(owner)[owner]), records),
    )


# How it is decided, and what is told.


def the_best_candidate_wins() -> Mutation:
    """Whatever is best is matched."""
    return patch("matching.scoring.bands", lambda policy, probability, *_: ["match"] * len(probability))


def a_tie_goes_to_the_first() -> Mutation:
    return patch("matching.decision.LEAST_LEAD", -1.0)


def another_record_is_explained() -> Mutation:
    """Each record gets the reasons of the next one whose first reason is of another group."""
    right = reasons_column
    groups = {s["code"]: g for g, sides in catalogue()["groups"].items() for s in sides.values() if isinstance(s, dict)}

    def swapped(*given: Any) -> pl.Series:
        column = right(*given)
        first = [groups.get(reasons[0]["code"]) for reasons in column]
        order = range(len(first))
        return column[[next((j for j in (*order[i:], *order[:i]) if first[j] != first[i]), i) for i in order]]

    return patch("matching.scoring.reasons_column", swapped)


def each_ranker_explains_in_its_own_way() -> Mutation:
    """What is contributed is told of other groups, as it happens by each ranker's bytes."""
    right = Ranker.contributions

    def shuffled(self: Ranker, *given: Any) -> Any:
        found = right(self, *given)
        turn = np.random.default_rng(list(self.model[-2000:])).permutation(found.shape[1] - 1)
        return np.c_[found[:, turn], found[:, -1]]

    return patch.object(Ranker, "contributions", shuffled)


def names_are_told() -> Mutation:
    """Telemetry carries the name, for convenience."""
    right = scoring._measured

    def telling(*given: Any) -> dict[str, Any]:
        return {**right(*given), "name": np.array(given[-1].to_list())}

    return patch.object(scoring, "_measured", telling)
