"""The one scorer: batch, single record, endpoint and assets call the same code on the same bundle.

Scoring is a pure function of (bundle, records): each record is decided by itself, so its decision is the same alone and
in a batch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.bundle import MANIFEST, Manifest, load_parts, read_manifest, verify_bundle
from matching.calibration import Calibration
from matching.decision import Ranked, bands, in_order, is_ambiguous, is_unreadable, rank
from matching.evidence import Pairs, evidence
from matching.explanation import GROUP_OF_FEATURE, contrast, tell
from matching.features import FEATURE_NAMES, feature_matrix, flatten
from matching.files import atomic_folder, folder_files, write_json
from matching.kinds import outside
from matching.master import build_reference_master, changed
from matching.parallel import THREADS, each, spans
from matching.policy import Policy, on_reference
from matching.priors import PriorTables, reference_facts
from matching.ranker import Ranker
from matching.reasons import contrast_column, none_told, reasons_column
from matching.records import content_hash
from matching.retrieval.index import Found, Queries, RetrievalIndex

FEATURES = "features"  # all of them, float32 [n, features]
TOLD = {"record_id": pl.String, "probability": pl.Float64, "decision": pl.String, "bundle_version": pl.String}
# of decisions, in telemetry
PART, FEW = 1024, 32  # records that are decided at a time, at most; and fewer are not shared out


@dataclass(frozen=True)
class Scored:
    """What scoring gives; see docs/ARCHITECTURE.md for the columns. Candidates and telemetry are made when asked."""

    decisions: pl.DataFrame
    _propose: Callable[[], pl.DataFrame] = field(repr=False)
    _measure: Callable[[], dict[str, NDArray[Any]]] = field(repr=False)

    @cached_property
    def candidates(self) -> pl.DataFrame:
        """All candidates of all records, best first."""
        return self._propose()

    @cached_property
    def telemetry(self) -> pl.DataFrame:
        """Numbers only, never a name."""
        return telemetry([self.measured()])

    def measured(self) -> dict[str, Any]:
        """What telemetry is made of. It costs little, and holds on to nothing else of what was scored."""
        return {**{name: self.decisions[name].to_list() for name in TOLD}, **self._measure()}


def telemetry(measured: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The telemetry of several `Scored.measured()`, one after the other.

    At once, because most of what a frame costs is for its columns.
    """
    numbers = _joined([{name: part[name] for name in part if name not in TOLD} for part in measured])
    features = numbers.pop(FEATURES)
    return pl.DataFrame(
        [
            *(pl.Series(name, list(chain(*(part[name] for part in measured))), kind) for name, kind in TOLD.items()),
            *(pl.Series(name, values) for name, values in numbers.items()),
            *(pl.Series(f"f_{name}", features[:, i], nan_to_null=True) for i, name in enumerate(FEATURE_NAMES)),
        ]
    )


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

    def score(
        self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True, with_embedding: bool = True
    ) -> Scored:
        """Decide records (record_id, name, any attribute) among `top_k` candidates each.

        A record without a readable name goes to review, never to match. Without `reasons` no reason is told.
        Without the embedding every decision is degraded and in review: its probability is not the certified one.
        """
        parts = spans(records.height, max(min(PART, -(-records.height // THREADS)), FEW))
        made = list(each(lambda part: self._score(records[slice(*part)], top_k, reasons, with_embedding), parts))
        if len(made) == 1:
            return made[0]
        return Scored(
            pl.concat([part.decisions for part in made]),
            lambda: pl.concat([part.candidates for part in made]),
            lambda: _joined([part._measure() for part in made]),
        )

    def _score(self, records: pl.DataFrame, top_k: int, reasons: bool, with_embedding: bool) -> Scored:
        queries = self.index.queries(records["name"].to_list())
        found = self.index.search(queries, top_k, with_embedding)
        owner, variant, lexical, embedding = flatten(found)
        features = feature_matrix(self.index, queries, records, owner, variant, lexical, embedding, self._priors)
        margins = self.ranker.margins(features)
        ranked = rank(owner, margins, records.height)
        decided = decide(ranked, queries, records, self.calibration, self.policy)
        degraded = not with_embedding and self.index.encoder is not None
        if degraded:
            decided = replace(decided, band=["review"] * records.height)
        reference = np.append(self.index.arrays["variant_reference"][variant], 0)  # the last for the pair -1
        kinds = tuple(self.ranker.priors.kinds)
        told = (
            self._explain(Pairs(self.index, queries, records, owner, variant, features, kinds), ranked, decided)
            if reasons
            else none_told(records.height)
        )
        decisions = pl.DataFrame(
            [
                records["record_id"],
                pl.Series("reference_id", self._ids(reference, ranked.best), dtype=pl.String),
                pl.Series("probability", decided.probability),
                pl.Series("decision", decided.band, dtype=pl.String),
                pl.Series("runner_up_id", self._ids(reference, ranked.runner_up), dtype=pl.String),
                pl.Series("runner_up_probability", decided.runner_up_probability, nan_to_null=True),
                *told,
                pl.Series("margin", ranked.margin, nan_to_null=True),
                pl.Series("degraded", [degraded]).new_from_index(0, records.height),
                pl.Series("bundle_version", [self.bundle_version]).new_from_index(0, records.height),
            ]
        )
        chosen = np.full((records.height, len(FEATURE_NAMES)), np.nan, np.float32)
        there = np.flatnonzero(ranked.best >= 0)
        chosen[there] = features[ranked.best[there]]
        return Scored(
            decisions,
            lambda: self._candidates(records["record_id"], owner, reference, margins),
            lambda: _measured(queries, found, chosen, records["name"]),
        )

    def _ids(self, reference: NDArray[np.int32], pair: NDArray[np.int64]) -> list[str | None]:
        """The reference of each pair by its id, None for the pair -1."""
        ids = self.index.reference_ids[reference[pair]]
        ids[pair < 0] = None
        found: list[str | None] = ids.tolist()
        return found

    def _explain(self, pairs: Pairs, ranked: Ranked, decided: Decided) -> tuple[pl.Series, pl.Series]:
        """Reasons and contrast of each record, from exact contributions of the chosen pair and the runner-up."""
        there = np.flatnonzero(ranked.best >= 0)
        two = ranked.runner_up[there] >= 0
        best, second = ranked.best[there], ranked.runner_up[there][two]
        both = self.ranker.contributions(pairs.features[np.concatenate([best, second])], GROUP_OF_FEATURE)[:, :-1]
        chosen = both[: len(best)]
        other = chosen.copy()
        other[two] = both[len(best) :]
        best_pairs = pairs.take(best)
        told, versus = tell(chosen), contrast(chosen, other)
        said = evidence(best_pairs, told.row, told.group)
        return (
            reasons_column(told, there, best_pairs.features, said, decided.findings),
            contrast_column(versus, there, best_pairs.features, len(ranked.best)),
        )

    def _candidates(
        self, ids: pl.Series, owner: NDArray[np.int32], reference: NDArray[np.int32], margins: NDArray[np.float64]
    ) -> pl.DataFrame:
        order, place = in_order(owner, margins)
        return pl.DataFrame(
            {
                "record_id": ids[owner[order]],
                "reference_id": pl.Series(self._ids(reference, order), dtype=pl.String),
                "rank": place.astype(np.int32),
                "score": self.calibration.probability(margins[order]),
            }
        )

    def update(self, added: pl.DataFrame, removed: pl.Series, aliases: pl.DataFrame | None, out: Path) -> Path:
        """A bundle with the same models and some references added, replaced or removed; see `master.changed`.

        The same bytes as `reindex` with the whole new reference.
        """
        return self.reindex(*changed(self.index.master, added, removed, aliases), out)

    def reindex(self, reference: pl.DataFrame, aliases: pl.DataFrame | None, out: Path) -> Path:
        """A bundle with the same models and a new reference, written to `out`. Names known from before are not read.

        When the reference is another one (see `on_reference`), the new bundle matches nothing automatically.
        """
        names = self.index.reader()
        master = build_reference_master(reference, aliases, names)
        index = RetrievalIndex.build(master, self.index.encoder, names=names, earlier=self.index)
        parent = self.manifest
        moved = parent.facts.get("reference_moved", 0.0)
        policy, moved = on_reference(self.policy, self.index.reference_number, index.reference_number, moved)
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
                "reference_moved": moved,
            }
            content = json.loads(((self.folder or Path()) / MANIFEST).read_text()) | {
                "files": folder_files(draft),
                "facts": facts,
            }
            write_json(draft / MANIFEST, content)
        return out


def _measured(queries: Queries, found: Found, chosen: NDArray[np.float32], names: pl.Series) -> dict[str, NDArray[Any]]:
    """What telemetry has beside the decisions: a number for each record and column."""
    size = np.diff(queries.table.starts)
    unknown = np.bincount(
        np.repeat(np.arange(len(size)), size), weights=queries.known[queries.table.tokens] < 0, minlength=len(size)
    )
    return {
        "lexical_similarity": found.lexical.max(axis=1, initial=0.0),
        "embedding_similarity": found.embedding.max(axis=1, initial=0.0),
        "unknown_token_share": unknown / np.maximum(size, 1),
        "name_length": np.array([len(name or "") for name in names.to_list()], np.int32),
        "candidate_count": (found.variant >= 0).sum(axis=1).astype(np.int32),
        FEATURES: chosen,
    }


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Decided:
    """Bands of n records with their probabilities (0 and NaN where there is no candidate).

    findings: by code, of which records it is true (bool [n]).
    """

    probability: NDArray[np.float64]
    runner_up_probability: NDArray[np.float64]
    band: list[str]
    findings: dict[str, NDArray[np.bool_]]


def decide(
    ranked: Ranked, queries: Queries, records: pl.DataFrame, calibration: Calibration, policy: Policy
) -> Decided:
    """Calibrate margins and put each record in its band."""
    probability, runner_up = calibration.probability((ranked.margin, ranked.runner_up_margin))
    unreadable, ambiguous = is_unreadable(queries.table), is_ambiguous(ranked)
    beyond = outside(records, policy.kinds)
    band = bands(policy, probability, runner_up, ~unreadable, ~ambiguous, beyond)
    findings = {
        "NAME_UNREADABLE": unreadable,
        "NO_CANDIDATE": ranked.best < 0,
        "AMBIGUOUS": ambiguous & np.array([b == "review" for b in band], np.bool_),
        "KIND_NOT_CERTIFIED": beyond & policy.reaches_threshold(probability),
        "MATCHING_CLOSED": policy.is_withheld(probability, runner_up, ~unreadable & ~ambiguous & ~beyond),
    }
    return Decided(np.fmax(probability, 0.0), runner_up, band, findings)
