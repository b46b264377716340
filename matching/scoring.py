"""The one scorer: batch, single record, endpoint and assets call the same code on the same bundle.

Scoring is a pure function of (bundle, records): each record is decided by itself, so its decision is the same alone and
in a batch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.bundle import MANIFEST, Manifest, load_parts, read_manifest, verify_bundle
from matching.calibration import Calibration
from matching.decision import Ranked, bands, is_ambiguous, is_unreadable, rank
from matching.explanation import contrast, group_contributions, tell
from matching.features import FEATURE_NAMES, feature_matrix, flatten
from matching.files import atomic_folder, folder_files, write_json
from matching.master import build_reference_master
from matching.policy import Policy
from matching.priors import PriorTables, reference_facts
from matching.ranker import Ranker
from matching.reasons import REASON, align_pair, evidence_of, finding, reason, reference_words
from matching.records import ATTRIBUTES, content_hash
from matching.retrieval.index import Found, Queries, RetrievalIndex

# The least share of ids, of those in either reference, that a new one must have in common for the certificate to hold.
SAME_REFERENCE = 0.8
DIFFERENCE = pl.Struct({"code": pl.String, "difference": pl.Float64})


@dataclass(frozen=True)
class Scored:
    """What scoring gives; see docs/ARCHITECTURE.md for the columns. `telemetry` has numbers only, never a name."""

    decisions: pl.DataFrame
    candidates: pl.DataFrame
    telemetry: pl.DataFrame


@dataclass(frozen=True)
class Scorer:
    """Decides records against an index.

    Made from a bundle by `load`, or from the parts of one that is still in the making.
    """

    index: RetrievalIndex
    ranker: Ranker
    calibration: Calibration
    policy: Policy
    bundle_version: str
    folder: Path | None = None

    @classmethod
    def load(cls, bundle: Path) -> Scorer:
        """Raises BundleError when a file of the bundle is missing, torn or altered."""
        manifest = verify_bundle(bundle)
        parts = load_parts(bundle)
        return cls(parts.index, parts.ranker, parts.calibration, parts.policy, manifest.version, bundle)

    @property
    def manifest(self) -> Manifest:
        """The manifest of the bundle it was loaded from."""
        if self.folder is None:
            raise ValueError("this scorer was not loaded from a bundle")
        return read_manifest(self.folder)

    @cached_property
    def _priors(self) -> PriorTables:
        return PriorTables.of(self.ranker.priors, reference_facts(self.index.master))

    @cached_property
    def _words(self) -> list[str]:
        return reference_words(self.index)

    @cached_property
    def _rarity(self) -> dict[str, float]:
        return dict(zip(self._words, self.index.arrays["word_idf"].tolist(), strict=True))

    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> Scored:
        """Decide records (record_id, name, any attribute) among `top_k` candidates each.

        A record without a readable name goes to review, never to match. Without `reasons` no reason is told.
        """
        queries = self.index.queries(records["name"].to_list())
        found = self.index.search(queries, top_k)
        owner, variant, lexical, embedding = flatten(found)
        features = feature_matrix(self.index, queries, records, owner, variant, lexical, embedding, self._priors)
        ranked = rank(owner, self.ranker.margins(features), records.height)
        decided = decide(ranked, queries, self.calibration, self.policy)
        # The last entries stand for the pair that is not there, whose number is -1.
        reference = np.r_[self.index.arrays["variant_reference"][variant], -1]
        ids = np.r_[self.index.reference_ids, None]
        told = (
            self._explain(records, queries, variant, features, ranked, decided) if reasons else _untold(records.height)
        )
        decisions = pl.DataFrame(
            {
                "record_id": records["record_id"],
                "reference_id": pl.Series(ids[reference[ranked.best]].tolist(), dtype=pl.String),
                "probability": decided.probability,
                "decision": pl.Series(decided.band, dtype=pl.String),
                "runner_up_id": pl.Series(ids[reference[ranked.runner_up]].tolist(), dtype=pl.String),
                "runner_up_probability": pl.Series(decided.runner_up_probability, nan_to_null=True),
                "reasons": pl.Series(told[0], dtype=pl.List(REASON)),
                "contrast": pl.Series(told[1], dtype=pl.List(DIFFERENCE)),
                "margin": pl.Series(ranked.margin, nan_to_null=True),
                "degraded": pl.repeat(False, records.height, eager=True),
                "bundle_version": pl.repeat(self.bundle_version, records.height, dtype=pl.String, eager=True),
            }
        )
        candidates = pl.DataFrame(
            {
                "record_id": records["record_id"].gather(owner[ranked.order]),
                "reference_id": pl.Series(ids[reference[ranked.order]].tolist(), dtype=pl.String),
                "rank": ranked.place.astype(np.int32),
                "score": self.calibration.probability(self.ranker.margins(features)[ranked.order]),
            }
        )
        return Scored(decisions, candidates, self._telemetry(decisions, queries, found, features, ranked))

    def _explain(
        self,
        records: pl.DataFrame,
        queries: Queries,
        variant: NDArray[np.int32],
        features: NDArray[np.float32],
        ranked: Ranked,
        decided: Decided,
    ) -> tuple[list[list[dict[str, Any]]], list[list[dict[str, Any]]]]:
        """Reasons and contrast of each record, from exact contributions of the chosen pair and the runner-up."""
        there = np.flatnonzero(ranked.best >= 0)
        two = ranked.runner_up[there] >= 0
        chosen = group_contributions(self.ranker.contributions(features[ranked.best[there]]))
        second = chosen.copy()
        second[two] = group_contributions(self.ranker.contributions(features[ranked.runner_up[there][two]]))
        reasons: list[list[dict[str, Any]]] = [[finding(c) for c in codes] for codes in decided.findings]
        contrasts: list[list[dict[str, Any]]] = [[] for _ in reasons]
        rows = records.select("record_id", *(c for c in ATTRIBUTES if c in records.columns)).to_dicts()
        master = self.index.master.select("reference_id", *(c for c in ATTRIBUTES if c in self.index.master.columns))
        known = master[self.index.arrays["variant_reference"][variant[ranked.best[there]]]].to_dicts()
        for i, told, versus in zip(range(len(there)), tell(chosen), contrast(chosen, second), strict=True):
            record, pair = int(there[i]), int(ranked.best[there[i]])
            aligned = align_pair(self.index, queries, record, int(variant[pair]), self._words)
            evidence = evidence_of(aligned, features[pair], rows[record], known[i], self._rarity)
            reasons[record] = [reason(t, features[pair], evidence) for t in told] + reasons[record]
            contrasts[record] = [
                {"code": reason(t, features[pair], {})["code"], "difference": t.contribution} for t in versus
            ]
        return reasons, contrasts

    def _telemetry(
        self, decisions: pl.DataFrame, queries: Queries, found: Found, features: NDArray[np.float32], ranked: Ranked
    ) -> pl.DataFrame:
        chosen = np.where(
            (ranked.best >= 0)[:, None],
            np.vstack([features, np.zeros((1, features.shape[1]), np.float32)])[ranked.best],
            np.nan,
        )
        size = np.diff(queries.table.starts)
        unknown = np.bincount(
            np.repeat(np.arange(len(size)), size), weights=queries.known[queries.table.tokens] < 0, minlength=len(size)
        )
        return decisions.select("record_id", "probability", "decision", "bundle_version").with_columns(
            pl.Series("lexical_similarity", found.lexical.max(axis=1, initial=0.0)),
            pl.Series("embedding_similarity", found.embedding.max(axis=1, initial=0.0)),
            pl.Series("unknown_token_share", unknown / np.maximum(size, 1)),
            pl.Series("name_length", [len(n.raw) for n in queries.names], dtype=pl.Int32),
            pl.Series("candidate_count", (found.variant >= 0).sum(axis=1).astype(np.int32)),
            *(
                pl.Series(f"f_{name}", chosen[:, i], dtype=pl.Float32, nan_to_null=True)
                for i, name in enumerate(FEATURE_NAMES)
            ),
        )

    def reindex(self, reference: pl.DataFrame, aliases: pl.DataFrame | None, out: Path) -> Path:
        """A bundle with the same models and a new reference, written to `out`.

        When the reference is another one (see `on_reference`), the new bundle matches nothing automatically.
        """
        master = build_reference_master(reference, aliases)
        index = RetrievalIndex.build(master, self.index.encoder)
        policy = on_reference(self.policy, self.index.reference_number, index.reference_number)
        parent = self.manifest
        with atomic_folder(out) as draft:
            for name in parent.files:
                if not name.startswith("index/"):
                    shutil.copyfile((self.folder or Path()) / name, draft / name)
            index.save(draft / "index")
            write_json(draft / "policy.json", policy.to_json())
            facts = parent.facts | {
                "parent": parent.version,
                "certificate": asdict(policy.certificate),
                "data": parent.facts["data"] | {"reference": content_hash(reference)},
                "counts": parent.facts["counts"] | {"references": reference.height},
                "references": master.height,
            }
            content = json.loads(((self.folder or Path()) / MANIFEST).read_text()) | {
                "files": folder_files(draft),
                "facts": facts,
            }
            write_json(draft / MANIFEST, content)
        return out


def on_reference(policy: Policy, earned_on: Iterable[str], reference: Iterable[str]) -> Policy:
    """The policy on another reference than its certificate was earned on; both are given by their ids.

    The certificate speaks of the reference it was earned on: how often a record has no match in it, and how near its
    entities are to one another. When the two have less than SAME_REFERENCE of their ids in common, nothing is matched
    automatically any more, and the certificate says so.
    """
    known, new = set(earned_on), set(reference)
    share = len(known & new) / len(known | new)
    if share >= SAME_REFERENCE:
        return policy
    statement = (
        f"No certificate: it was earned on another reference, with {share:.0%} of all ids in common with this one. "
        "Nothing is matched automatically. Fit again with labels for this reference."
    )
    return replace(policy, certificate=replace(policy.certificate, granted=False, threshold=None, statement=statement))


@dataclass(frozen=True)
class Decided:
    """Bands of n records with their probabilities (0 and NaN where there is no candidate) and findings (codes)."""

    probability: NDArray[np.float64]
    runner_up_probability: NDArray[np.float64]
    band: list[str]
    findings: list[list[str]]


def decide(ranked: Ranked, queries: Queries, calibration: Calibration, policy: Policy) -> Decided:
    """Calibrate margins and put each record in its band."""
    probability = calibration.probability(ranked.margin)
    runner_up = calibration.probability(ranked.runner_up_margin)
    unreadable, ambiguous = is_unreadable(queries.names), is_ambiguous(ranked)
    band = bands(policy, probability, runner_up, ~unreadable, ~ambiguous)
    findings: list[list[str]] = [[] for _ in band]
    for i in np.flatnonzero(unreadable):
        findings[i].append("NAME_UNREADABLE")
    for i in np.flatnonzero(ranked.best < 0):
        findings[i].append("NO_CANDIDATE")
    for i in np.flatnonzero(ambiguous & (np.array(band) == "review")):
        findings[i].append("AMBIGUOUS")
    return Decided(np.nan_to_num(probability, nan=0.0), runner_up, band, findings)


def _untold(records: int) -> tuple[list[list[dict[str, Any]]], list[list[dict[str, Any]]]]:
    return [[] for _ in range(records)], [[] for _ in range(records)]
