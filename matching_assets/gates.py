"""The gates of an approval: what a version has to show before it may serve, and the values that were seen.

Pure functions of what was measured. A gate without a value to judge does not pass in silence: it says why it passes,
or it fails.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from matching.paired import told

PRECISION_SLACK = 0.04
"""How far below the certificate's target the lower end of held-out precision (95 %) may be.

The certificate shows the target; a few hundred held-out records can only show that nothing broke it since.
"""
MOST_CALIBRATION_ERROR = 0.05
LEAST_RECALL = 0.85
"""Of the right references among the candidates: what retrieval misses, nothing behind it can find."""
TOLERANCE = 0.02
"""By how much a version may be behind the champion in top-1 or coverage: less is noise on a few hundred records."""
MOST_CONFLICTS = 0.005
"""Of records that two versions both match, but to different references: one of the two is wrong."""
MOST_LOST = 0.02
MOST_LATENCY_RATIO = 2.0
SURE = 0.01


@dataclass(frozen=True)
class Gate:
    """One gate: the value seen, the limit, whether it is passed, and a sentence for the record."""

    gate: str
    value: float | None
    limit: float | None
    passed: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """For the registry and the card."""
        return asdict(self)


def judge_version(
    measured: Mapping[str, Any], certificate: Mapping[str, Any], without_automatic_matches: bool = False
) -> list[Gate]:
    """All gates of a version.

    `measured`: the facts of `evaluation`. `certificate`: the policy's. `without_automatic_matches`: somebody has
    decided that a version without a certificate may serve, which then matches nothing by itself.
    """
    metrics, champion = measured["metrics"], measured["champion"]
    return [
        _certificate(certificate, without_automatic_matches),
        _precision(metrics, certificate["target_precision"]),
        _at_most("calibration", metrics["ece"], MOST_CALIBRATION_ERROR, "calibration error of the shown probability"),
        _at_least(
            "candidate_recall", metrics["recall@50"], LEAST_RECALL, "share of right references among the candidates"
        ),
        _above("baseline", metrics["recall@1"], measured["baseline"]["top1"], "top-1 of character TF-IDF"),
        _golden(measured["golden_wrong"], measured["golden_changed"]),
        _champion(metrics, champion, measured["champion_unreadable"], measured.get("paired")),
    ]


def judge_shadow(comparison: Mapping[str, Any]) -> list[Gate]:
    """What a comparison with the champion on the same records has to show (`matching.experiments.Comparison`)."""
    records = max(comparison["records"], 1)
    lost = max(comparison["lost"] - comparison["gained"], 0) / records
    chance = comparison["p_value"] > SURE
    what = f"share of matches lost on balance {lost:.4f} (McNemar p {comparison['p_value']:.2g})"
    return [
        _at_most("conflicts", comparison["conflicts"] / records, MOST_CONFLICTS, "share matched to another reference"),
        Gate("lost_matches", lost, MOST_LOST, chance or lost <= MOST_LOST, _compared(what, "at most", MOST_LOST)),
        _at_most("latency", comparison["latency_ratio"], MOST_LATENCY_RATIO, "time a record, to the champion's,"),
    ]


def _certificate(certificate: Mapping[str, Any], without: bool) -> Gate:
    granted = bool(certificate["granted"])
    sentence = certificate["statement"]
    if not granted:
        allowed = "This was allowed explicitly." if without else "Allow it explicitly, or add labels and retrain."
        sentence = f"{sentence} Nothing would be matched automatically. {allowed}"
    return Gate("certificate", certificate["p_value"], certificate["level"], granted or without, sentence)


def _precision(metrics: Mapping[str, Any], target: float) -> Gate:
    limit = target - PRECISION_SLACK
    if metrics["precision"] is None:
        return Gate("precision", None, limit, True, "No held-out record is matched automatically, so none wrongly.")
    low, high = metrics["precision_ci95"]
    what = f"precision of automatic matches {metrics['precision']:.4f}, 95 % interval {low:.4f} to {high:.4f}"
    return Gate("precision", low, limit, low >= limit, _compared(what, "a lower end of at least", limit))


def _champion(
    metrics: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    unreadable: str | None,
    paired: Mapping[str, Mapping[str, Any]] | None,
) -> Gate:
    """Not behind by more than noise, and not shown to be worse in pairs, however little."""
    if unreadable is not None:
        return Gate("champion", None, None, True, f"The champion cannot be compared: {unreadable}.")
    if champion is None:
        return Gate("champion", None, None, True, "There is no champion to be compared with.")
    behind = {name: champion[name] - metrics[name] for name in ("recall@1", "coverage")}
    worst = max(behind, key=behind.__getitem__)
    sentence = ", ".join(f"{name} {metrics[name]:.4f} against {champion[name]:.4f}" for name in behind)
    top1 = (paired or {}).get("top1", {"gained": 0, "lost": 0, "p_value": 1.0})
    worse = top1["lost"] > top1["gained"] and top1["p_value"] <= SURE
    sentence = f"Champion on the same records: {sentence}. {told(paired or {})}".strip()
    return Gate("champion", behind[worst], TOLERANCE, behind[worst] <= TOLERANCE and not worse, sentence)


def _golden(wrong: list[str], changed: list[str]) -> Gate:
    sentence = f"Of the champion's golden decisions {len(changed)} come out otherwise, {len(wrong)} as a wrong match."
    return Gate("golden_set", len(wrong), 0, not wrong, " ".join([sentence, *wrong[:5]]))


def _at_least(gate: str, value: float | None, limit: float, what: str) -> Gate:
    passed = value is not None and value >= limit
    return Gate(gate, value, limit, passed, _compared(f"{what} {_shown(value)}", "at least", limit))


def _at_most(gate: str, value: float | None, limit: float, what: str) -> Gate:
    passed = value is not None and value <= limit
    return Gate(gate, value, limit, passed, _compared(f"{what} {_shown(value)}", "at most", limit))


def _above(gate: str, value: float | None, limit: float | None, what: str) -> Gate:
    passed = value is not None and (limit is None or value > limit)
    return Gate(gate, value, limit, passed, f"top-1 {_shown(value)}, {what} {_shown(limit)}")


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"


def _compared(sentence: str, how: str, limit: float) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}; {how} {limit:.4g} is asked for."


def decide_status(gates: list[Gate]) -> str:
    """Approved when every gate is passed, else Rejected."""
    return "Approved" if all(gate.passed for gate in gates) else "Rejected"
