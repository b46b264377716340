"""The model card: what a version is for, what it was made of, how good it is and where it is not.

The card follows the content schema of SageMaker model cards, in the part that both of its kinds share (CreateModelCard,
and the ModelCard of a model package, which allows no more than creator and artifact in `model_overview`). So the same
JSON registers with either, name and version stand under `custom_details`, and it stays under 100,000 characters.
Neither the card nor its page holds the name of a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from matching.card_metrics import counts, curves, cut, metric, performance, slice_figures
from matching.intervals import at_least

MOST_CHARACTERS = 100_000
TEXT, DETAIL = 2048, 1024  # the schema's longest texts

PURPOSE = (
    "Matches records of companies, issuers and listings, as feeds write them, to the reference master: it proposes a "
    "reference, says how probable it is that this is the right one, and gives the reasons."
)
USES = (
    "Intended: attaching reference ids to records of legal entities and their securities. A record is matched without "
    "review only where the certificate allows it; otherwise a person reviews the proposal with its reasons. "
    "Not intended: natural persons; sanctions or fraud screening, where a missed match costs more than a wrong one; "
    "any decision about a company beyond its identity; matching without a certificate, or against a reference of "
    "another kind than the one described here, without new labels."
)
FACTORS = (
    "Names cut off by the feed; renames that share no word with the present name; families of funds and subsidiaries "
    "whose names differ in one word or number; scripts and abbreviations that the training data does not have; an "
    "entity that is missing from the reference while a close neighbour is in it."
)
RISK = (
    "A wrong match puts one company's exposure, price or rating on another, and travels into what is built on it. The "
    "certificate bounds how often that happens, every match keeps its reasons and can be reversed, and all else is "
    "reviewed by a person."
)
ETHICS = (
    "The data are names and addresses of organisations. Some bear the names of persons; records' names are kept out of "
    "logs, metrics and this card. Precision differs between sources, as the slices show."
)
CAVEATS = (
    "The certificate holds for records like the labelled ones: drawn from the same sources, in the same proportions, "
    "matched against a reference of the same kind. It speaks of the average and not of each slice: see the worst ones. "
    "Precision is measured against labels, so errors in labels count as errors of the model. When the drift report "
    "alarms, treat the certificate as expired until it was tested on new labels."
)


def build_card(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The card of these facts, as JSON content for SageMaker.

    Needed: `name`, `version`; `evaluation` (of `matching.evaluation.evaluate`) and `evaluated_on`, a sentence that says
    on which records; `certificate` (a `Certificate` as dict). Optional: `owner`, `created` (date), `artifacts` (list of
    locations), `datasets` (name to {rows, version}), `labels` (counts by name), `label_error` (a sentence), `baseline`
    (of `tfidf_baseline`), `against` (sentences: how it did beside the champion), `review_floor`, `hyper_parameters`,
    `seeds` (by name), `drivers` (feature or reason to its share of all contributions), `lock_sha256`, `code_version`.

    Raises KeyError for a needed fact that is missing, ValueError when the card would be too long for SageMaker.
    """
    evaluation = facts["evaluation"]
    bands = evaluation["bands"]
    slices = {column: values for column, values in evaluation["slices"].items() if column != "has_match"}
    card = {
        "model_overview": {
            "model_creator": cut(facts.get("owner", "unknown"), DETAIL),
            "model_artifact": [cut(a, DETAIL) for a in facts.get("artifacts", [])][:15],
        },
        "intended_uses": {
            "purpose_of_model": PURPOSE,
            "intended_uses": USES,
            "factors_affecting_model_efficiency": FACTORS,
            "risk_rating": "Medium",
            "explanations_for_risk_rating": RISK,
        },
        "business_details": {
            "business_problem": "Records of the same company arrive under many names and without a shared identifier.",
            "business_stakeholders": "Data operations, who review; model risk, who approve; users of reference data.",
            "line_of_business": "Reference data",
        },
        "training_details": {
            "training_observations": cut(_observations(facts), DETAIL),
            "training_job_details": {
                "training_datasets": [_dataset(n, d) for n, d in sorted(facts.get("datasets", {}).items())][:15],
                "user_provided_hyper_parameters": [
                    {"name": cut(k, 255), "value": cut(v, 255)}
                    for k, v in sorted(facts.get("hyper_parameters", {}).items())
                ][:100],
            },
        },
        "evaluation_details": [
            {
                "name": "Labelled records",
                "evaluation_observation": cut(f"{facts['evaluated_on']} {facts.get('against', '')}".strip(), TEXT),
                "metric_groups": [
                    {"name": "Performance", "metric_data": performance(evaluation, facts.get("baseline") or {})},
                    {
                        "name": "Bands",
                        "metric_data": [metric(b, f["precision"], counts(f)) for b, f in bands.items()],
                    },
                    *({"name": cut(f"Slices by {c}", 63), "metric_data": slice_figures(s)} for c, s in slices.items()),
                    *curves(evaluation),
                ],
            }
        ],
        "additional_information": {
            "ethical_considerations": ETHICS,
            "caveats_and_recommendations": CAVEATS,
            "custom_details": {k: cut(v, DETAIL) for k, v in _details(facts).items()},
        },
    }
    if (length := len(json.dumps(card))) > MOST_CHARACTERS:
        raise ValueError(f"the card has {length:,} characters, more than {MOST_CHARACTERS:,}; slice by fewer columns")
    return card


def _observations(facts: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in facts.get("labels", {}).items())
    said = f"Labels: {counts or 'not counted'}. Label error: {facts.get('label_error', 'not measured')}."
    drivers = list(facts.get("drivers", {}).items())[:10]
    shares = ", ".join(f"{name} {at_least(round(share, 3))}" for name, share in drivers)
    return f"{said} What drives decisions: {shares}." if shares else said


def _dataset(name: str, facts: Mapping[str, Any]) -> str:
    return cut(f"{name}: {facts['rows']:,} rows, version {facts['version']}", DETAIL)


def _details(facts: Mapping[str, Any]) -> dict[str, str]:
    """Name and version, the certificate, and what it takes to reproduce the version."""
    plain = ("created", "review_floor", "lock_sha256", "code_version")
    return {
        "model_name": facts["name"],
        "model_version": facts["version"],
        "certificate": facts["certificate"]["statement"],
        "certificate_granted": "yes" if facts["certificate"]["granted"] else "no",
        **{key: str(facts[key]) for key in plain if key in facts},
        **{f"seed_{name}": str(seed) for name, seed in sorted(facts.get("seeds", {}).items())},
    }


def card_markdown(card: Mapping[str, Any]) -> str:
    """The card as a page for people, in the order of a reviewer's questions, made of the card alone.

    May it be used for this, what is promised, how good is it, where is it worst, what was it made of, how is it made
    again.
    """
    uses, training = card["intended_uses"], card["training_details"]
    job, information = training["training_job_details"], card["additional_information"]
    details, evaluated = information["custom_details"], card["evaluation_details"][0]
    groups = {group["name"]: group["metric_data"] for group in evaluated["metric_groups"]}
    slices = {name: metrics for name, metrics in groups.items() if name.startswith("Slices by ")}
    told_elsewhere = ("model_name", "certificate", "certificate_granted")
    blocks = [
        f"# Model card: {details['model_name']}",
        f"Version `{details['model_version']}`, made by {card['model_overview']['model_creator']}.",
        "## What it is for",
        uses["purpose_of_model"],
        uses["intended_uses"],
        f"**Risk: {uses['risk_rating']}.** {uses['explanations_for_risk_rating']}",
        "## What is certified" if details["certificate_granted"] == "yes" else "## Nothing is certified",
        details["certificate"],
        "## How good it is",
        evaluated["evaluation_observation"],
        _table(("figure", "value", "of what, and how sure"), groups["Performance"]),
        "By band, the share that is right (for `no_match`: that have none):",
        _table(("band", "right", "records"), groups["Bands"]),
        "## Where it is worst" if slices else "",
        *(block for name, metrics in slices.items() for block in _slice(name, metrics)),
        "## Limits",
        uses["factors_affecting_model_efficiency"],
        information["caveats_and_recommendations"],
        information["ethical_considerations"],
        "## What it was made of",
        training["training_observations"],
        _list(job["training_datasets"]),
        "## How to make it again",
        _list(f"{key.replace('_', ' ')}: `{value}`" for key, value in details.items() if key not in told_elsewhere),
        _list((f"{p['name']}: `{p['value']}`" for p in job["user_provided_hyper_parameters"]), "Settings:"),
        _list((f"`{artifact}`" for artifact in card["model_overview"]["model_artifact"]), "Artifacts:"),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _slice(name: str, metrics: list[dict[str, Any]]) -> tuple[str, str]:
    column = name.removeprefix("Slices by ")
    return f"By {column.replace('_', ' ')}, the worst first:", _table((column, "precision", "counts"), metrics)


def _table(header: tuple[str, str, str], metrics: Iterable[Mapping[str, Any]]) -> str:
    rows = [header, ("---", "---:", "---"), *((m["name"], _value(m["value"]), m.get("notes", "")) for m in metrics)]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _list(items: Iterable[str], heading: str = "") -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join([heading, "", *lines] if heading and lines else lines)
