"""Reason codes: the catalogue (`reasons.yaml`), and the evidence that is printed beside each code.

A reason is {code, direction, contribution, evidence}: direction `supports`, `against` or `neutral`, contribution in
log-odds, evidence the words or values that it rests on. Evidence quotes the record and the reference, so it belongs in
decision tables and never in logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.explanation import GROUPS, RESIDUAL, Told
from matching.features import ATTRIBUTE_FEATURES, FEATURE_NAMES, FEATURES
from matching.priors import PRIOR_ATTRIBUTES
from matching.records import ATTRIBUTES
from matching.retrieval.index import Queries, RetrievalIndex
from matching.vocabulary import Vocabulary

CATALOGUE = Path(__file__).with_name("reasons.yaml")
REASON = pl.Struct({"code": pl.String, "direction": pl.String, "contribution": pl.Float64, "evidence": pl.String})
_COLUMN = {name: i for i, name in enumerate(FEATURE_NAMES)}
_OF_GROUP = {g: [i for i, f in enumerate(FEATURES) if f.reason_group == g] for g in GROUPS}


@lru_cache(maxsize=4)
def catalogue(path: Path = CATALOGUE) -> dict[str, Any]:
    """The catalogue as it stands in the file."""
    import yaml

    known: dict[str, Any] = yaml.safe_load(path.read_text())
    missing = set(GROUPS) ^ set(known["groups"])
    if missing:
        raise ValueError(f"{path.name} and the features do not have the same groups: {sorted(missing)}")
    return known


@lru_cache(maxsize=1)
def entries() -> dict[str, dict[str, str]]:
    """Code to its entry (code, title, text), of all codes there are."""
    known = catalogue()
    all_entries = [known["residual"], *(side for group in known["groups"].values() for side in group.values())]
    return {e["code"]: e for e in all_entries} | {c: {"code": c, **e} for c, e in known["findings"].items()}


def title_of(code: str) -> str:
    """The code in words."""
    return entries()[code]["title"]


@dataclass(frozen=True)
class Aligned:
    """Token evidence of one pair.

    partners: (record word, reference word or words, kind). The others are the words left over on each side.
    """

    partners: tuple[tuple[str, str, str], ...]
    record_only: tuple[str, ...]
    reference_only: tuple[str, ...]


def align_pair(
    index: RetrievalIndex, queries: Queries, record: int, variant: int, reference_words: list[str]
) -> Aligned:
    """Align one record with one variant, as the features do. `reference_words`: the words of the index's vocabulary."""
    from matching.alignment import KINDS, MAX_LENGTH, align
    from matching.names import MAX_TOKENS

    a, table = index.arrays, queries.table
    left = table.tokens[table.starts[record] : table.starts[record + 1]]
    right = a["name_tokens"][a["name_starts"][variant] : a["name_starts"][variant + 1]]
    match, kind, near = (np.zeros((2, MAX_TOKENS), t) for t in (np.int32, np.int32, np.float32))
    align(
        left, table.vocabulary.chars, table.vocabulary.starts, queries.known, right, a["word_chars"], a["word_starts"],
        match[0], kind[0], near[0], match[1], kind[1], near[1],
        np.empty((3, MAX_LENGTH + 1), np.int32), np.empty((MAX_TOKENS, MAX_TOKENS), np.float32),
    )  # fmt: skip
    ours = list(queries.names[record].tokens)
    theirs = [reference_words[t] for t in right]
    partners: dict[tuple[str, str], str] = {}
    for i, word in enumerate(ours):
        if match[0][i] >= 0:
            stands_for = [theirs[j] for j in range(len(theirs)) if match[1][j] == i] or [theirs[match[0][i]]]
            partners[word, " ".join(stands_for)] = KINDS[kind[0][i]]
    return Aligned(
        tuple((r, s, k) for (r, s), k in partners.items()),
        tuple(w for i, w in enumerate(ours) if match[0][i] < 0),
        tuple(w for j, w in enumerate(theirs) if match[1][j] < 0),
    )


def reason(told: Told, features: NDArray[np.float32], evidence: dict[str, str]) -> dict[str, Any]:
    """A told group as a reason. features: float32 [features] of the pair that it is told of."""
    if told.group == RESIDUAL:
        code, direction, text = catalogue()["residual"]["code"], "neutral", ""
    else:
        group = GROUPS[told.group]
        direction = "supports" if told.contribution > 0 else "against"
        code, text = _code(group, direction, features), evidence.get(group, "")
    return {"code": code, "direction": direction, "contribution": told.contribution, "evidence": text}


def _code(group: str, direction: str, features: NDArray[np.float32]) -> str:
    """The code of a group that is true of the pair; see the head of the catalogue."""
    known, values = catalogue()["groups"][group], features[_OF_GROUP[group]]
    if "silent" in known and not values.any():
        side = "silent"
    elif "agrees" not in known:
        side = direction
    elif values.min() < 0 < values.max():
        side = "agrees" if direction == "supports" else "differs"
    else:
        side = "agrees" if values.max() > 0 else "differs"
    return str(known[side]["code"])


def finding(code: str, evidence: str = "") -> dict[str, Any]:
    """A finding as a reason without contribution."""
    return {"code": code, "direction": "neutral", "contribution": 0.0, "evidence": evidence}


def evidence_of(
    aligned: Aligned,
    features: NDArray[np.float32],
    record: dict[str, Any],
    reference: dict[str, Any],
    rarity: dict[str, float],
) -> dict[str, str]:
    """Evidence by group, for one pair. `rarity`: idf of the reference's words; a word it lacks is the rarest."""
    exact = [r for r, _, kind in aligned.partners if kind == "exact"]
    loose = [(r, s, kind) for r, s, kind in aligned.partners if kind != "exact"]
    rarest = sorted(exact, key=lambda w: -rarity.get(w, 99.0))[:2]
    lost = [f"only in the record: {' '.join(aligned.record_only)}"] if aligned.record_only else []
    lost += [f"only in the reference: {' '.join(aligned.reference_only)}"] if aligned.reference_only else []
    found = {
        "name_words": "; ".join(([f"shared: {' '.join(exact)}"] if exact else []) + lost),
        "rare_words": " ".join(rarest),
        "unmatched_words": "; ".join(lost),
        "spelling": _pairs([p for p in loose if p[2] == "spelling"])
        or f"letters {_of(features, 'letters'):.2f}, trigrams {_of(features, 'lexical'):.2f}",
        "abbreviation": _pairs([p for p in loose if p[2] != "spelling"]),
        "origin": "; ".join(f"{a}: {record[a]}" for a in PRIOR_ATTRIBUTES if record.get(a)),
        "meaning": f"learned similarity {_of(features, 'embedding'):.2f}",
        "lead": f"ahead by {_of(features, 'cover_lead'):+.2f} in words, "
        f"{_of(features, 'lexical_lead'):+.2f} in trigrams",
        "uniqueness": f"{_of(features, 'namesakes'):.0f} namesakes, "
        f"{_of(features, 'rivals'):.0f} other candidates with exactly these words",
        "name_length": f"{_of(features, 'record_words'):.0f} words against {_of(features, 'reference_words'):.0f}",
    }
    for feature, attribute in zip(ATTRIBUTE_FEATURES, ATTRIBUTES, strict=True):
        if features[_COLUMN[feature.name]]:
            sign = "=" if features[_COLUMN[feature.name]] > 0 else "/"
            text = f"{attribute}: {record.get(attribute)} {sign} {reference.get(attribute)}"
            found[feature.reason_group] = "; ".join(filter(None, (found.get(feature.reason_group), text)))
    return found


def _pairs(partners: list[tuple[str, str, str]]) -> str:
    return "; ".join(f"{r} ~ {s} ({kind})" for r, s, kind in partners)


def _of(features: NDArray[np.float32], name: str) -> float:
    return float(features[_COLUMN[name]])


def reference_words(index: RetrievalIndex) -> list[str]:
    """The words of the reference's vocabulary, by number."""
    return Vocabulary(index.arrays["word_chars"], index.arrays["word_starts"]).words()
