"""What records and references say before their names are compared, learnt from labels.

The name cannot tell a company from a namesake abroad that is not in the reference, nor an issuer from its financing
subsidiary. Where the record comes from, what kind of reference it is, and how well the two go together can:

- *origin*: how often records of one country, exchange or currency have their entity in the reference at all;
- *standing*: how much more often references of one kind (any column of few values that the reference brings along, such
  as `status`) are the right one than their share in the reference would have it;
- *fit*: the same of a value of the reference among records of one value (lines in Frankfurt of companies in New York).

All are log-odds or log-ratios (the weights of Fellegi & Sunter, JASA 1969), entities counted once, drawn towards the
average where there are few (an empirical Bayes estimate). What was never seen says nothing. In training a record's own
entity never has a say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.master import COMPUTED, comparable
from matching.records import ATTRIBUTES, IDENTIFIERS

PRIOR_ATTRIBUTES = ("country", "exchange", "currency")
STRENGTH = 8.0  # entities that the average counts for
MOST = 4.0  # log-odds
MOST_KINDS = 20  # distinct values of a column that tells kinds of references apart
MISSING = ""
Forms = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class Fit:
    """How often a value of the reference is the right one among records of a value; counts of entities.

    share: of each value in the reference. right: of each value among right references. seen: entities by value of the
    record. together: entities by value of the record and value of their reference.
    """

    share: dict[str, float]
    right: dict[str, float]
    seen: dict[str, int]
    together: dict[str, dict[str, int]]

    def weight(self, record: str, reference: str) -> float:
        """The log-ratio for a pair of values, 0 where either was never seen."""
        if record not in self.seen or reference not in self.share:
            return 0.0
        together = self.together.get(record, {}).get(reference, 0)
        expected = (together + STRENGTH * self.right[reference]) / (self.seen[record] + STRENGTH)
        return math.log(expected / self.share[reference])


@dataclass(frozen=True)
class Priors:
    """log_odds: of origins, by attribute and comparable value. kinds: of references, by column and value."""

    log_odds: dict[str, dict[str, float]] = field(default_factory=dict)
    kinds: dict[str, dict[str, float]] = field(default_factory=dict)
    fits: dict[str, Fit] = field(default_factory=dict)

    @classmethod
    def fit(cls, origins: pl.DataFrame, references: pl.DataFrame | None = None) -> Priors:
        """Learn from labelled records, and the references as `reference_facts` gives them.

        origins: entity_key, has_match (bool), any of PRIOR_ATTRIBUTES in comparable form, and the reference_id that is
        right where `references` are given.
        """
        average = _share(origins.group_by("entity_key").agg(pl.col("has_match").any())["has_match"])
        learnt = {}
        for attribute in (a for a in PRIOR_ATTRIBUTES if a in origins.columns):
            counted = (
                origins.drop_nulls(attribute)
                .unique([attribute, "entity_key", "has_match"])
                .group_by(attribute)
                .agg(pl.len(), pl.col("has_match").sum())
                .sort(attribute)
            )
            learnt[attribute] = {
                value: _log_odds((matched + STRENGTH * average) / (entities + STRENGTH)) - _log_odds(average)
                for value, entities, matched in counted.iter_rows()
            }
        if references is None:
            return cls(learnt)
        right = origins.join(references, on="reference_id", suffix="_reference")
        kinds = {c: _kinds(right, references[c]) for c in references.columns if c not in ("reference_id", *ATTRIBUTES)}
        both = [a for a in learnt if a in references.columns]
        return cls(learnt, kinds, {a: _fit(right, references[a], a) for a in both})

    def to_json(self) -> dict[str, Any]:
        """The priors, as JSON can hold them without loss."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Priors:
        """The priors that `to_json` gave."""
        return cls(known["log_odds"], known["kinds"], {a: Fit(**fit) for a, fit in known["fits"].items()})


@dataclass(frozen=True)
class PriorTables:
    """Priors put in order for one reference, so that a pair's columns are looked up and not computed.

    standing: float32 [references]. fits: for each attribute the row of a record's value, the column of each reference
    (int32 [references]) and the weights (float32 [rows + 1, columns + 1], the last ones 0: never seen).
    """

    priors: Priors
    standing: NDArray[np.float32]
    fits: dict[str, tuple[dict[str, int], NDArray[np.int32], NDArray[np.float32]]]

    @classmethod
    def of(cls, priors: Priors, references: pl.DataFrame) -> PriorTables:
        """Prepare priors for references as `reference_facts` gives them."""
        standing = np.zeros(references.height)
        for kind, known in priors.kinds.items():
            if kind in references.columns:
                standing += [known.get(v, 0.0) for v in references[kind].to_list()]
        fits = {}
        for attribute, fit in priors.fits.items():
            if attribute in references.columns:
                ours, theirs = list(fit.seen), list(fit.share)
                weights = np.zeros((len(ours) + 1, len(theirs) + 1), np.float32)
                for row, value in enumerate(ours):
                    weights[row, :-1] = [_bounded(fit.weight(value, t)) for t in theirs]
                number = {t: i for i, t in enumerate(theirs)}
                column = np.array([number.get(v, -1) for v in references[attribute].to_list()], np.int32)
                fits[attribute] = ({r: i for i, r in enumerate(ours)}, column, weights)
        return cls(priors, np.maximum(np.minimum(standing, MOST), -MOST).astype(np.float32), fits)

    def columns(self, origins: Forms, owner: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float32]:
        """What is known of each pair beside its names, 0 where nothing is. float32 [pairs, 2 PRIOR_ATTRIBUTES + 1].

        origins: as `forms_of` gives them; owner, reference: numbers of each pair's record and reference.
        """
        count = len(PRIOR_ATTRIBUTES)
        out = np.zeros((len(owner), 2 * count + 1), np.float32)
        out[:, count] = self.standing[reference]
        for i, attribute in enumerate(PRIOR_ATTRIBUTES):
            values = origins.get(attribute, ())
            if not any(values):
                continue
            known = self.priors.log_odds.get(attribute, {})
            out[:, i] = np.array([_bounded(known.get(v or MISSING, 0.0)) for v in values], np.float32)[owner]
            if attribute in self.fits:
                number, column, weights = self.fits[attribute]
                row = np.array([number.get(v or MISSING, -1) for v in values], np.int32)
                out[:, count + 1 + i] = weights[row[owner], column[reference]]
        return out


def forms_of(records: pl.DataFrame) -> dict[str, list[str | None]]:
    """The ATTRIBUTES that records have in comparable form, None where a record has none."""
    there = {column.name: column for column in records.iter_columns() if column.name in ATTRIBUTES}
    return {
        a: [comparable(a, v) for v in (there[a] if there[a].dtype == pl.String else there[a].cast(pl.String)).to_list()]
        for a in ATTRIBUTES
        if a in there
    }


def origins_of(records: pl.DataFrame) -> pl.DataFrame:
    """PRIOR_ATTRIBUTES of records in comparable form, null where a record or the whole frame has none."""
    forms, none = forms_of(records), [None] * records.height
    return pl.DataFrame(
        {a: forms.get(a, none) for a in PRIOR_ATTRIBUTES}, schema=dict.fromkeys(PRIOR_ATTRIBUTES, pl.String)
    )


def reference_facts(master: pl.DataFrame) -> pl.DataFrame:
    """reference_id, the columns of few values that the reference brings along, and PRIOR_ATTRIBUTES in comparable form.

    A value that is missing is a value too: a registrant without an exchange is rarely the one that is listed. Without
    expressions of polars: its threads, once started, would keep a serving process from forking its workers.
    """
    ours = {"reference_id", "name", *COMPUTED, *ATTRIBUTES, *IDENTIFIERS}
    kinds = [
        c for c, dtype in master.schema.items()
        if c not in ours and dtype in (pl.String, pl.Boolean) and 2 <= len(set(master[c].to_list())) <= MOST_KINDS
    ]  # fmt: skip
    return pl.DataFrame(
        [
            master["reference_id"],
            *(_in_form(master[c], lambda value: value) for c in kinds),
            *(_in_form(master[a], partial(comparable, a)) for a in PRIOR_ATTRIBUTES if a in master.columns),
        ]
    )


def _in_form(values: pl.Series, form: Callable[[str], str | None]) -> pl.Series:
    """Values as text in a form, MISSING where there is none; each distinct one is formed once."""
    text = values.cast(pl.String).to_list()
    forms = {v: form(v) for v in dict.fromkeys(text) if v is not None}
    return pl.Series(values.name, [forms.get(v) or MISSING for v in text], dtype=pl.String)


def _kinds(right: pl.DataFrame, of_all: pl.Series) -> dict[str, float]:
    """The weight of each value of a column of the reference."""
    column = of_all.name
    share = _shares(of_all)
    meant = right.unique([column, "reference_id", "entity_key"])[column].value_counts()
    counts = dict(meant.iter_rows())
    total = sum(counts.values())
    return {
        value: math.log((counts.get(value, 0) + STRENGTH * s) / (total + STRENGTH) / s) for value, s in share.items()
    }


def _fit(right: pl.DataFrame, of_all: pl.Series, attribute: str) -> Fit:
    """Counts of one attribute's values on both sides, entities counted once."""
    theirs = f"{attribute}_reference"
    share = _shares(of_all)
    pairs = right.drop_nulls(attribute).unique([attribute, theirs, "entity_key"])
    counted = pairs.group_by(attribute, theirs).len().sort(attribute, theirs)
    seen: dict[str, int] = {}
    total = dict.fromkeys(share, 0)
    together: dict[str, dict[str, int]] = {}
    for ours, value, count in counted.iter_rows():
        seen[ours] = seen.get(ours, 0) + count
        total[value] += count
        together.setdefault(ours, {})[value] = count
    everything = sum(total.values())
    likely = {v: (total[v] + STRENGTH * s) / (everything + STRENGTH) for v, s in share.items()}
    return Fit(share, likely, seen, together)


def _shares(values: pl.Series) -> dict[str, float]:
    """The share of each value, in order."""
    counted = values.value_counts().sort(values.name)
    return {value: count / len(values) for value, count in counted.iter_rows()}


def _share(has_match: pl.Series) -> float:
    """The share of matches, kept away from 0 and 1."""
    return (float(has_match.sum()) + 0.5) / (len(has_match) + 1)


def _bounded(weight: float) -> float:
    return min(max(weight, -MOST), MOST)


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)
