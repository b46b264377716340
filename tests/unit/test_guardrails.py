import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.guardrails import guard_aliases, guard_labels, guard_records, guard_reference
from matching.records import InputError
from matching.schemas import sentence

APPLE_LEI = "HWUPKR0MPOU8FGXBT394"
NOBODY = pl.Series([], dtype=pl.String)


def records(*rows: tuple[object, object], **columns: list[object]) -> pl.DataFrame:
    ids, names = zip(*rows, strict=True)
    return pl.DataFrame({"record_id": ids, "name": names, **columns}, strict=False)


def references(**columns: list[object]) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    given = {"reference_id": [f"R{i}" for i in range(n)], "name": [f"Company {i}" for i in range(n)], **columns}
    return pl.DataFrame(given)


def labels(*rows: tuple[str | None, str | None], **columns: list[object]) -> pl.DataFrame:
    given = {"record_id": [r for r, _ in rows], "reference_id": [r for _, r in rows], **columns}
    return pl.DataFrame(given, schema_overrides={"record_id": pl.String, "reference_id": pl.String})


def guard_known_labels(frame: pl.DataFrame):
    return guard_labels(frame, pl.Series(["a", "b"]), pl.Series(["R1", "R2"]))


def test_good_records_come_through_unchanged():
    frame = records(("b", "Beta AG"), ("a", "Alpha plc"), desk=[1, 2])
    guarded = guard_records(frame)
    assert guarded.accepted.equals(frame)
    assert guarded.quarantined.height == 0
    assert guarded.counts == {}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (None, "name_present"),
        ("", "name_present"),
        (" \t\u00a0", "name_present"),
        ("\u200b\u200e", "name_present"),
        ("--- . ---", "name_present"),
        ("x" * 10_000, "name_short_enough"),
        ("x" * 513, "name_short_enough"),
        ("Alpha\x00 plc", "name_free_of_control_characters"),
        ("Alpha \x92s plc", "name_free_of_control_characters"),
    ],
)
def test_a_name_that_cannot_be_matched_is_quarantined(name, rule):
    guarded = guard_records(records(("a", name), ("b", "Beta AG")))
    assert guarded.quarantined["rule"].to_list() == [rule]
    assert guarded.accepted["record_id"].to_list() == ["b"]


@pytest.mark.parametrize(
    "name",
    ["  " + "x" * 512 + "\n", "Al\u200bpha", "\u202eplc ahplA", "Alpha\tplc", "株式会社", "3", "Œuvre \N{PILE OF POO}"],
)
def test_a_name_that_can_be_read_is_accepted_as_it_is(name):
    assert guard_records(records(("a", name))).accepted["name"].to_list() == [name]


@pytest.mark.parametrize("record_id", [None, "", "  "])
def test_a_record_without_an_id_is_quarantined(record_id):
    assert guard_records(records((record_id, "Alpha"), ("b", "Beta"))).counts == {"record_id_present": 1}


def test_of_identical_rows_the_first_is_kept():
    guarded = guard_records(records(("a", "Alpha"), ("a", "Alpha"), ("a", "Alpha"), desk=[None, None, None]))
    assert guarded.accepted.height == 1
    assert guarded.quarantined["row"].to_list() == [2, 3]
    assert guarded.counts == {"said_once": 2}


def test_rows_that_share_an_id_and_differ_are_all_quarantined():
    guarded = guard_records(records(("a", "Alpha"), ("b", "Beta"), ("a", "Alpha Holdings"), ("a", "Alpha")))
    assert guarded.accepted["record_id"].to_list() == ["b"]
    assert guarded.counts == {"record_id_unambiguous": 3}


def test_a_difference_in_a_column_that_is_not_known_is_a_difference():
    assert guard_records(records(("a", "Alpha"), ("a", "Alpha"), desk=[1, 2])).counts == {"record_id_unambiguous": 2}


def test_a_quarantined_row_says_where_it_was_what_is_wrong_and_what_to_do():
    guarded = guard_records(records(("a", "Alpha"), (None, "\x00"), desk=[1, 2]))
    assert guarded.quarantined.to_dicts() == [
        {
            "row": 2,
            "rule": "record_id_present",
            "reason": " ".join(
                sentence(rule) for rule in ("record_id_present", "name_present", "name_free_of_control_characters")
            ),
            "record_id": None,
            "name": "\x00",
            "desk": "2",
        }
    ]


def test_a_mended_quarantine_file_can_be_sent_again():
    first = guard_records(records(("a", ""), ("b", "\x00"))).quarantined
    mended = first.with_columns(name=pl.Series(["Alpha", ""]))
    again = guard_records(mended)
    assert again.accepted["name"].to_list() == ["Alpha"]
    assert again.quarantined.columns == [
        "row",
        "rule",
        "reason",
        "own_row",
        "own_rule",
        "own_reason",
        "record_id",
        "name",
    ]
    assert again.quarantined["row"].to_list() == [2]


def test_ids_that_are_numbers_become_text():
    guarded = guard_records(
        pl.DataFrame({"record_id": [7, 8], "name": ["Alpha", "Beta"], "postal_code": [75001, None]})
    )
    assert guarded.accepted["record_id"].to_list() == ["7", "8"]
    assert guarded.accepted["postal_code"].to_list() == ["75001", None]


@pytest.mark.parametrize("missing", ["record_id", "name"])
def test_a_missing_column_is_an_error_that_names_the_file_and_the_column(missing):
    with pytest.raises(InputError, match=f"file day.csv, column {missing}.*found.*Add it"):
        guard_records(records(("a", "Alpha")).drop(missing), file="day.csv")


def test_a_known_column_that_cannot_be_text_is_an_error():
    with pytest.raises(InputError, match="column country"):
        guard_records(records(("a", "Alpha"), country=[["DE", "FR"]]))


def test_an_empty_table_is_accepted():
    guarded = guard_records(pl.DataFrame(schema={"record_id": pl.String, "name": pl.String}))
    assert (guarded.accepted.height, guarded.quarantined.height) == (0, 0)


def test_a_wrong_identifier_in_a_record_does_not_stop_it():
    assert guard_records(records(("a", "Alpha"), lei=["not an LEI"])).accepted.height == 1


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [("lei", APPLE_LEI, APPLE_LEI[:-1] + "5"), ("isin", "US0378331005", "US0378331006"), ("cik", "320193", "32o193")],
)
def test_a_reference_with_a_wrong_identifier_is_quarantined(column, good, bad):
    guarded = guard_reference(references(**{column: [good, bad, None, " "]}))
    assert guarded.counts == {f"{column}_valid": 1}
    assert guarded.accepted["reference_id"].to_list() == ["R0", "R2", "R3"]


def test_references_that_share_an_id_and_differ_are_all_quarantined():
    guarded = guard_reference(references(reference_id=["R", "R", "S", None], name=["Alpha", "Beta", "Gamma", "Delta"]))
    assert guarded.accepted["reference_id"].to_list() == ["S"]
    assert guarded.counts == {"reference_id_present": 1, "reference_id_unambiguous": 2}


def test_an_alias_of_no_reference_is_quarantined():
    aliases = pl.DataFrame({"reference_id": ["R1", "R9", None], "alias": ["Alpha", "Beta", "Gamma"]})
    guarded = guard_aliases(aliases, pl.Series(["R1"]))
    assert guarded.accepted["alias"].to_list() == ["Alpha"]
    assert guarded.counts == {"reference_known": 2}


def test_an_alias_is_held_to_the_rules_of_names():
    aliases = pl.DataFrame({"reference_id": ["R1"] * 3, "alias": ["Alpha", "Alpha", ""]})
    assert guard_aliases(aliases, pl.Series(["R1"])).counts == {"said_once": 1, "name_present": 1}


def test_two_references_may_share_an_alias():
    aliases = pl.DataFrame({"reference_id": ["R1", "R2"], "alias": ["Alpha", "Alpha"]})
    assert guard_aliases(aliases, pl.Series(["R1", "R2"])).accepted.height == 2


def test_labels_point_to_records_and_references_that_exist():
    guarded = guard_known_labels(labels(("a", "R1"), ("b", "R9"), ("z", "R1"), (None, "R1"), ("y", "")))
    assert guarded.accepted["record_id"].to_list() == ["a"]
    assert guarded.counts == {"record_id_present": 1, "record_known": 2, "reference_known": 1}


def test_a_label_without_a_reference_says_that_there_is_no_match():
    assert guard_known_labels(labels(("a", None))).accepted.height == 1


@pytest.mark.parametrize("other", ["R2", None])
def test_labels_that_contradict_each_other_are_all_quarantined(other):
    guarded = guard_known_labels(labels(("a", "R1"), ("b", "R2"), ("a", other)))
    assert guarded.accepted["record_id"].to_list() == ["b"]
    assert guarded.counts == {"labels_agree": 2}


def test_a_label_said_twice_is_kept_once():
    guarded = guard_known_labels(labels(("a", "R1"), ("a", "R1"), source=["ticker", "analyst"]))
    assert guarded.accepted["source"].to_list() == ["ticker"]
    assert guarded.counts == {"said_once": 1}


def test_alternatives_may_be_a_list_or_the_json_text_of_one():
    as_list = labels(("a", "R1"), ("b", None), same_name_alternatives=[["R2"], None])
    as_text = labels(("a", "R1"), ("b", None), same_name_alternatives=['["R2"]', None])
    assert guard_known_labels(as_text).accepted.equals(guard_known_labels(as_list).accepted)
    assert guard_known_labels(as_list).accepted.equals(as_list)


@pytest.mark.parametrize("text", ["R2", "[1]", '{"R2": 1}', "null", "[" * 100_000])
def test_alternatives_that_are_no_list_are_quarantined(text):
    guarded = guard_known_labels(labels(("a", "R1"), ("b", "R2"), same_name_alternatives=[text, ""]))
    assert guarded.counts == {"alternatives_readable": 1}
    assert guarded.quarantined["same_name_alternatives"].to_list() == [text]


TEXTS = st.one_of(st.none(), st.sampled_from(["", " ", "a", "b", "R1", "R2", "\x00", "x" * 600]), st.text(max_size=8))
OTHERS = st.one_of(st.none(), st.integers(-9, 9), st.floats(), st.dates(), st.binary(max_size=3), st.lists(st.dates()))


@st.composite
def bad_frames(draw, columns: tuple[str, ...]) -> pl.DataFrame:
    n = draw(st.integers(0, 8))
    frame = {c: pl.Series(c, draw(st.lists(TEXTS, min_size=n, max_size=n)), dtype=pl.String) for c in columns}
    for c in draw(st.lists(st.sampled_from(["row", "own_row", "rule", "reason", "first_alike", "desk"]), unique=True)):
        one = draw(st.lists(OTHERS.filter(lambda x: x is not None), min_size=1, max_size=1))
        frame[c] = pl.Series(c, one * n, dtype=None if n else pl.Int64)
    return pl.DataFrame(frame)


few = settings(max_examples=30)


def nothing_is_lost(frame: pl.DataFrame, guarded) -> bool:
    rows = guarded.quarantined["row"].to_list()
    kept = [i for i in range(frame.height) if i + 1 not in rows]
    unknown = [c for c in frame.columns if c != "same_name_alternatives"]
    return (
        len(rows) == len(set(rows)) == sum(guarded.counts.values())
        and guarded.accepted.columns == frame.columns
        and guarded.accepted.select(unknown).equals(frame[kept].select(unknown))
        and guarded.quarantined["reason"].null_count() == 0
        and guarded.quarantined.width == frame.width + 3
    )


@few
@given(bad_frames(("record_id", "name", "country")))
def test_every_record_is_accepted_or_quarantined(frame):
    assert nothing_is_lost(frame, guard_records(frame))


@few
@given(bad_frames(("reference_id", "name", "lei", "isin", "cik")))
def test_every_reference_is_accepted_or_quarantined(frame):
    assert nothing_is_lost(frame, guard_reference(frame))


@few
@given(bad_frames(("reference_id", "alias", "asof")))
def test_every_alias_is_accepted_or_quarantined(frame):
    assert nothing_is_lost(frame, guard_aliases(frame, pl.Series(["R1"])))


@few
@given(bad_frames(("record_id", "reference_id", "same_name_alternatives")))
def test_every_label_is_accepted_or_quarantined(frame):
    assert nothing_is_lost(frame, guard_labels(frame, pl.Series(["a", "b"]), NOBODY))


@few
@given(bad_frames(("record_id", "name")))
def test_what_was_accepted_is_accepted_again(frame):
    accepted = guard_records(frame).accepted
    assert guard_records(accepted).accepted.equals(accepted)
