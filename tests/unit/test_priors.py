"""What records and references say before names are compared: entities counted once, nothing of what was never seen."""

import json

import numpy as np
import polars as pl

from matching.fit_config import FitConfig, assign_use
from matching.priors import MOST, PRIOR_ATTRIBUTES, Priors, PriorTables, origins_of, reference_facts
from matching.training import PRIOR_NAMES, out_of_fold_priors


def origins(*rows: tuple[str, bool, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"entity_key": pl.String, "has_match": pl.Boolean, "country": pl.String}, orient="row"
    )


def home_and_abroad(each: int = 50) -> pl.DataFrame:
    return origins(
        *((f"U{i}", True, "us") for i in range(each)),
        *((f"J{i}", i % 5 == 0, "jp") for i in range(each)),
    )


def told(priors: Priors, asked: pl.DataFrame) -> np.ndarray:
    """What priors tell of the origins of records alone: each paired with a reference of which nothing is known."""
    tables = PriorTables.of(priors, pl.DataFrame({"reference_id": ["X"]}))
    return tables.columns(asked.to_dict(as_series=False), np.arange(asked.height), np.zeros(asked.height, np.int64))


def registrants() -> pl.DataFrame:
    """A reference of 200, one in ten of them listed; those are on two exchanges."""
    return pl.DataFrame(
        {
            "reference_id": [f"C{i}" for i in range(200)],
            "name": [f"Company {i}" for i in range(200)],
            "status": ["lister" if i < 20 else "registrant" for i in range(200)],
            "exchange": ["NYSE" if i < 10 else "Nasdaq" if i < 20 else None for i in range(200)],
        }
    )


def lines() -> pl.DataFrame:
    """Records of the listed ones: from Frankfurt those of NYSE, from Stuttgart those of Nasdaq."""
    rows = [(f"C{i}", True, f"C{i}", "fra" if i < 10 else "stu") for i in range(20)]
    return pl.DataFrame(
        rows,
        orient="row",
        schema={"entity_key": pl.String, "has_match": pl.Boolean, "reference_id": pl.String, "exchange": pl.String},
    )


def test_a_kind_of_reference_that_is_often_the_right_one_speaks_for_the_pair() -> None:
    facts = reference_facts(registrants())
    standing = PriorTables.of(Priors.fit(lines(), facts), facts).standing
    assert standing[0] > 1
    assert standing[199] < -1


def test_a_kind_that_was_never_seen_says_nothing() -> None:
    facts = reference_facts(registrants())
    other = reference_facts(registrants().with_columns(status=pl.Series(["bank", "fund"] * 100), exchange=None))
    assert not PriorTables.of(Priors.fit(lines(), facts), other).standing.any()


def test_records_of_an_exchange_fit_references_of_the_one_they_usually_belong_to() -> None:
    facts = reference_facts(registrants())
    tables = PriorTables.of(Priors.fit(lines(), facts), facts)
    asked = pl.DataFrame({"exchange": ["fra", "fra", "fra", "xxx", None]})
    column = tables.columns(asked.to_dict(as_series=False), np.arange(5), np.array([0, 15, 100, 0, 0]))[:, -2]
    assert column[0] > 0 > column[2]
    assert column[0] > column[1]
    assert not column[3:].any()


def test_only_columns_of_few_values_tell_kinds_apart() -> None:
    master = registrants().with_columns(
        code=pl.col("reference_id"), constant=pl.lit("x"), live=pl.Series([True, False] * 100)
    )
    assert reference_facts(master).columns == ["reference_id", "status", "live", "exchange"]


def test_priors_survive_json() -> None:
    priors = Priors.fit(lines(), reference_facts(registrants()))
    assert Priors.from_json(json.loads(json.dumps(priors.to_json()))) == priors


def test_an_origin_that_is_often_matched_speaks_for_a_record_and_a_rare_one_against_it() -> None:
    country = told(Priors.fit(home_and_abroad()), origins(("a", False, "us"), ("b", False, "jp")))[:, 0]
    assert country[0] > 1
    assert country[1] < -1


def test_an_origin_that_was_never_seen_or_is_missing_says_nothing() -> None:
    asked = origins(("a", False, "br"), ("b", False, None))
    assert not told(Priors.fit(home_and_abroad()), asked).any()


def test_one_entity_with_many_records_counts_once() -> None:
    once = Priors.fit(home_and_abroad())
    many = Priors.fit(pl.concat([home_and_abroad(), origins(*([("U0", True, "us")] * 500))]))
    assert once == many


def test_few_entities_say_less_than_many() -> None:
    few = Priors.fit(pl.concat([home_and_abroad(), origins(("B0", False, "br"))])).log_odds["country"]
    assert few["jp"] < few["br"] < 0


def test_what_is_learnt_is_bounded() -> None:
    assert np.abs(told(Priors({"country": {"us": 99.0}}), origins(("a", True, "us")))).max() == MOST


def test_values_are_compared_in_one_form() -> None:
    records = pl.DataFrame({"country": ["United States", "USA", None], "exchange": [" NYQ", "nyq", ""]})
    assert origins_of(records).rows() == [("us", "nyq", None), ("us", "nyq", None), (None, None, None)]


def test_records_without_any_origin_are_told_nothing_of() -> None:
    records = pl.DataFrame({"record_id": ["a", "b"], "name": ["A", "B"]})
    columns = told(Priors.fit(home_and_abroad()), origins_of(records))
    assert columns.shape == (2, len(PRIOR_NAMES))
    assert not columns.any()


def test_in_training_an_entity_has_no_say_about_itself() -> None:
    ids = [f"R{i}" for i in range(60)]
    records = pl.DataFrame({"record_id": ids, "name": ids, "country": ["Japan"] * 59 + ["Brazil"]})
    labels = pl.DataFrame({"record_id": ids, "reference_id": [None] * 30 + ids[30:]})
    master = pl.DataFrame(
        {"reference_id": ids, "name": ids, "kind": ["rare" if i == "R59" else "usual" for i in ids]}
    ).with_columns(country=records["country"])
    used = assign_use(labels, FitConfig())
    pairs = used.with_columns(reference_id=pl.lit("R59")).filter(pl.col("record_id") == "R59")
    found = out_of_fold_priors(pairs, records, used, master, FitConfig())
    assert found[f"{PRIOR_ATTRIBUTES[0]}_prior"].item() == 0.0
    assert found[f"{PRIOR_ATTRIBUTES[0]}_fit"].item() == 0.0
    assert found["standing"].item() < 0  # the others' references are of another kind
    control = Priors.fit(origins(("R59", True, "br")))  # with its own say it would not be silent
    assert told(control, origins(("R59", True, "br")))[0, 0] != 0.0
