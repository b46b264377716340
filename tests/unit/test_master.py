"""The reference master: what is one entity, what are its names, and what of its values can be compared."""

import polars as pl
import pytest

from matching.master import all_ids, build_reference_master, changed, comparable, delivered, with_surviving_ids
from matching.records import InputError

LEI, OTHER_LEI = "529900T8BM49AURSDO55", "HWUPKR0MPOU8FGXBT394"


def reference(**columns: list[str | None]) -> pl.DataFrame:
    given = {"reference_id": ["b", "a", "c"], "name": ["Zenith Inc", "Zenith Inc", "Northolt AG"], **columns}
    return pl.DataFrame(given, schema=dict.fromkeys(given, pl.String))


def row(master: pl.DataFrame, reference_id: str) -> dict[str, object]:
    return master.row(by_predicate=pl.col("reference_id") == reference_id, named=True)


def test_names_are_parsed() -> None:
    northolt = row(build_reference_master(reference(name=["x", "y", "Northolt AG Class B"])), "c")
    assert (northolt["core_name"], northolt["legal_form"], northolt["share_class"]) == ("northolt", "ag", "b")


def test_rows_with_the_same_name_and_identifier_are_one_entity() -> None:
    master = build_reference_master(reference(lei=[LEI, LEI, None]))
    assert master["reference_id"].to_list() == ["a", "c"]
    assert row(master, "a")["merged_ids"] == ["b"]


def test_identifiers_are_one_in_any_writing() -> None:
    assert build_reference_master(reference(lei=[LEI, f" {LEI.lower()} ", None])).height == 2


@pytest.mark.parametrize(
    "columns", [{}, {"country": ["DE", "DE", "DE"]}, {"lei": [LEI, OTHER_LEI, None]}, {"lei": [LEI, None, None]}]
)
def test_rows_that_only_share_their_name_are_namesakes(columns: dict[str, list[str | None]]) -> None:
    master = build_reference_master(reference(**columns))
    assert master.select("reference_id", "namesakes", "merged_ids").rows() == [("a", 1, []), ("b", 1, []), ("c", 0, [])]


def test_rows_that_differ_in_an_attribute_are_not_merged() -> None:
    assert build_reference_master(reference(lei=[LEI, LEI, None], city=["Bonn", "Kiel", None])).height == 3


def test_every_id_that_comes_in_is_in_the_master_or_merged() -> None:
    master = build_reference_master(reference(lei=[LEI, LEI, None]))
    assert sorted([*master["reference_id"], *master["merged_ids"].explode().drop_nulls()]) == ["a", "b", "c"]


def test_aliases_go_to_their_reference_with_their_dates() -> None:
    aliases = pl.DataFrame(
        {"reference_id": ["c", "c"], "alias": ["Northolt KG", "Old Northolt"], "asof": ["2020-01-01", "1999-01-01"]}
    )
    northolt = row(build_reference_master(reference(), aliases), "c")
    assert (northolt["aliases"], northolt["alias_dates"]) == (
        ["Old Northolt", "Northolt KG"],
        ["1999-01-01", "2020-01-01"],
    )


def test_an_alias_of_a_merged_id_goes_to_the_row_that_stayed() -> None:
    aliases = pl.DataFrame({"reference_id": ["b"], "alias": ["Summit"]})
    assert row(build_reference_master(reference(lei=[LEI, LEI, None]), aliases), "a")["aliases"] == ["Summit"]


def test_without_aliases_the_lists_are_empty() -> None:
    assert build_reference_master(reference())["aliases"].to_list() == [[], [], []]


def test_other_columns_pass_through() -> None:
    assert row(build_reference_master(reference(rating=["1", "2", "3"])), "c")["rating"] == "3"


def test_a_delivered_legal_form_is_kept_beside_the_parsed_one() -> None:
    northolt = row(build_reference_master(reference(legal_form=[None, None, "8888"])), "c")
    assert (northolt["legal_form"], northolt["own_legal_form"]) == ("ag", "8888")


def test_the_order_of_delivery_does_not_matter() -> None:
    given = reference(lei=[LEI, LEI, None])
    assert build_reference_master(given).equals(build_reference_master(given.reverse()))


def test_an_empty_reference_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        build_reference_master(reference().clear())


def test_a_label_of_a_merged_id_speaks_of_the_row_that_stayed() -> None:
    master = build_reference_master(reference(lei=[LEI, LEI, None]))
    labels = pl.DataFrame(
        {"record_id": ["1", "2", "3"], "reference_id": ["b", "c", None], "same_name_alternatives": [[], ["b"], None]}
    )
    surviving = with_surviving_ids(labels, master)
    assert surviving["reference_id"].to_list() == ["a", "c", None]
    assert surviving["same_name_alternatives"].to_list() == [[], ["a"], None]


def test_labels_stay_as_they_are_where_nothing_was_merged() -> None:
    labels = pl.DataFrame({"record_id": ["1"], "reference_id": ["b"]})
    assert with_surviving_ids(labels, build_reference_master(reference())).equals(labels)


# Values that can be compared


@pytest.mark.parametrize(
    ("attribute", "one", "other"),
    [
        ("country", "Germany", "DE"),
        ("country", "United States", "USA"),
        ("website", "https://www.zenith.com/about", "zenith.com"),
        ("website", "HTTP://Zenith.com:8080", "www.zenith.com"),
        ("city", "Zürich", "ZURICH"),
        ("industry", "Oil & Gas", "oil - gas"),
    ],
)
def test_two_writings_of_one_value_are_equal(attribute: str, one: str, other: str) -> None:
    assert comparable(attribute, one) == comparable(attribute, other) is not None


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("city", None),
        ("city", "  "),
        ("city", "--"),
        ("website", "http://[bad"),
        ("website", "https://"),
        ("country", ""),
    ],
)
def test_what_says_nothing_is_not_compared(attribute: str, value: str | None) -> None:
    assert comparable(attribute, value) is None


def test_a_country_that_nobody_knows_is_compared_as_it_is_written() -> None:
    assert comparable("country", "Atlantis") == comparable("country", "ATLANTIS") == "atlantis"


def test_all_ids_are_those_of_the_rows_and_those_merged_into_them():
    master = pl.DataFrame({"reference_id": ["a", "b"], "merged_ids": [["c", "d"], []]})
    assert all_ids(master).to_list() == ["a", "b", "c", "d"]


# What changes in a reference


def test_a_master_says_what_was_delivered() -> None:
    given = reference(lei=[LEI, LEI, None], legal_form=["x", "x", "y"])
    aliases = pl.DataFrame({"reference_id": ["c", "a"], "alias": ["Later", "Summit"], "asof": ["2020-01-01", None]})
    master = build_reference_master(given, aliases)
    assert build_reference_master(*delivered(master)).equals(master)


def test_a_replaced_row_keeps_its_aliases_and_a_removed_one_loses_them() -> None:
    aliases = pl.DataFrame({"reference_id": ["a", "c"], "alias": ["Summit", "Peak"], "asof": ["2020-01-01", None]})
    master = build_reference_master(reference(), aliases)
    added = pl.DataFrame({"reference_id": ["a", "d"], "name": ["Anew AG", "Delta AG"]})
    now, names = changed(master, added, pl.Series(["c"]))
    assert sorted(now.select("reference_id", "name").rows())[0] == ("a", "Anew AG")
    assert sorted(now["reference_id"]) == ["a", "b", "d"]
    assert names["alias"].to_list() == ["Summit"]


@pytest.mark.parametrize(("removed", "added"), [(["a", "nowhere"], []), (["a", "c"], ["c"])])
def test_an_id_that_cannot_be_removed_is_named_with_its_row(removed, added) -> None:
    rows = pl.DataFrame({"reference_id": added, "name": added}, schema={"reference_id": pl.String, "name": pl.String})
    with pytest.raises(InputError, match="row 2"):
        changed(build_reference_master(reference()), rows, pl.Series(removed))
