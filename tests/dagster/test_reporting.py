"""What goes into the event log, and what must not."""

import math

import polars as pl

from matching_assets.plots import bars
from matching_assets.reporting import markdown_table, measured, report


def test_a_preview_has_ids_and_numbers_and_no_names():
    frame = pl.DataFrame({"record_id": ["r1"], "name": ["Jane Doe Ltd"], "website": ["doe.com"], "probability": [0.5]})
    assert markdown_table(frame) == "| record_id | probability |\n| --- | --- |\n| r1 | 0.5 |"


def test_the_event_log_previews_no_id_of_a_record():
    frame = pl.DataFrame({"record_id": ["r1"], "reference_id": ["R1"], "probability": [0.5]})
    shown = report(frame).metadata["preview"].value
    assert shown == "| reference_id | probability |\n| --- | --- |\n| R1 | 0.5 |"


def test_a_list_of_aliases_is_not_shown():
    assert markdown_table(pl.DataFrame({"aliases": [["Jane Doe Ltd"]]})) == "*no rows*"


def test_a_cell_cannot_break_out_of_its_table():
    assert markdown_table(pl.DataFrame({"rule": ["a|b\nc"]})).splitlines()[-1] == "| a\\|b c |"


def test_what_was_not_measured_is_no_point_in_a_plot():
    assert measured({"precision": None, "share": math.nan, "rows": 0}) == {"rows": 0}


def test_a_report_carries_the_value_to_the_io_manager():
    frame = pl.DataFrame({"record_id": ["r1"]})
    assert report(frame, asset="clean_records").value is frame


def test_the_same_numbers_draw_the_same_bytes():
    assert bars("Effect", ["a"], [1.0], [0.5]) == bars("Effect", ["a"], [1.0], [0.5])


def test_a_label_cannot_inject_markup():
    import base64

    image = bars("Effect", ["<script>"], [1.0])
    svg = base64.b64decode(image.split("base64,")[1].rstrip(")")).decode()
    assert "&lt;script&gt;" in svg
    assert "<script>" not in svg
