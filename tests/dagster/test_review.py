"""People's verdicts on the platform: from a day's queue, by the page in a browser, to the next training's labels."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import polars as pl
import pytest
import uvicorn

from matching.records import InputError
from matching_assets.review.app import create_app
from matching_assets.review.desk import Desk
from matching_assets.trace import UNKNOWN, Trace

from .browser import browser, needs_chromium

TOKEN = "a-token"
KEYS = "yy2y0yuynyyy0yyyyyzyyy"  # 21 verdicts, of which z takes one back


@pytest.fixture
def desk(platform) -> Iterator[Desk]:
    """A reviewer's desk on the platform. What was judged is taken away again, and the labels are as before."""
    resources = platform.resources
    yield Desk("r017", *(resources[key] for key in ("tables", "store", "registry", "verdicts")))
    for file in [*platform.home.glob("reviews/**/*.*"), *platform.landing.glob("labels/verdicts-*")]:
        file.unlink()
    assert platform.run("retrain", assets=["labels"]).success


@pytest.fixture
def address(desk) -> Iterator[str]:
    """The page, served as the command serves it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(desk, TOKEN, port)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/{TOKEN}/"
    server.should_exit = True
    thread.join()


def test_every_day_has_a_queue_with_an_audit_and_nothing_twice(platform, days):
    queue = platform.tables.read("review_queue")
    assert set(queue["day"].cast(pl.String)) == set(days)
    assert queue.filter(pl.struct("day", "record_id").is_duplicated()).is_empty()
    assert set(queue["why"]) == {"audit"}  # each record of the sample is labelled, so none is asked for as uncertain


@needs_chromium
def test_twenty_verdicts_by_keys_become_labels_that_the_next_training_reads(platform, desk, address, tmp_path):
    before = platform.tables.read("labels")
    with browser(tmp_path) as tab:
        tab.open(address)
        tab.press("x", loads=False)
        for key in KEYS:
            tab.press(key)
        assert tab.evaluate("document.activeElement.id") == "name"
        assert tab.evaluate("document.querySelector('progress').value") == 20
        assert tab.console == []  # no script failed, and the policy refused nothing

    verdicts = desk.given_today()
    assert Counter(verdicts["verdict"]) == {"yes": 16, "none": 2, "unsure": 1, "no": 1}
    assert platform.run("retrain", assets=["labels", "review_verdicts"]).success
    after = platform.tables.read("labels")
    reviewed = after.filter(reviewer="r017")
    single = verdicts.filter(pl.col("reviewers") == 1, pl.col("verdict").is_in(["yes", "none"]))
    assert (
        reviewed.select("record_id", "reference_id")
        .sort("record_id")
        .equals(single.select("record_id", "reference_id").sort("record_id"))
    )
    assert reviewed.height >= 10
    assert set(reviewed["why"]) == {"audit"}
    assert after.height == before.height
    assert platform.materialisation("review_verdicts").metadata["standing"].value == 20


@needs_chromium
def test_a_key_held_down_judges_one_record_and_keys_can_be_switched_off(desk, address, tmp_path):
    with browser(tmp_path) as tab:
        tab.open(address)
        tab.evaluate("document.getElementById('keys').click()")
        tab.press("y", loads=False)
        assert desk.given_today().is_empty()
        tab.evaluate("document.getElementById('keys').click()")
        for _ in range(5):
            tab.call("Input.dispatchKeyEvent", type="keyDown", key="0", text="0", autoRepeat=True)
        assert desk.given_today().is_empty()
        tab.press("0")
    assert desk.given_today().height == 1


def test_a_trace_leads_from_a_record_to_its_run_bundle_data_and_label_and_back(platform, desk):
    record = platform.tables.read("review_queue").filter(pl.col("reviewers") == 1)["record_id"][0]
    desk.answer(record, "none")
    assert platform.run("retrain", assets=["labels"]).success
    text = "\n".join(Trace(record, platform.resources, desk.verdicts, platform.instance).lines())
    (decision,) = platform.tables.read("match_decisions").filter(record_id=record).to_dicts()
    (name,) = platform.tables.read("clean_records").filter(record_id=record)["name"]
    labels = platform.materialisation("labels").tags["dagster/data_version"]
    for told in (
        f"{decision['day']}  {decision['decision']}: {decision['reference_id']}",
        f"bundle {decision['bundle_version']}, registry version 1 (prod)",
        "approved   by rule at",
        "verdict by r017",
        "review settled",
        "label no reference is right, by r017 at",
        f"read       as labels {labels[:12]}, in run",
        "no version yet: launch `retrain`",
    ):
        assert told in text
    assert UNKNOWN not in text
    assert name not in text


def test_a_label_that_was_learnt_from_names_the_versions_that_did(platform):
    record = platform.tables.read("labels")["record_id"][0]
    text = "\n".join(Trace(record, platform.resources, platform.resources["verdicts"], platform.instance).lines())
    assert "learnt by  registry version 1" in text


def test_a_record_that_was_never_decided_says_where_it_stopped(platform):
    with pytest.raises(InputError, match="It never arrived under this id"):
        Trace("nobody", platform.resources, platform.resources["verdicts"], platform.instance)
    quarantined = platform.tables.read("quarantined_records")["record_id"]
    for record in quarantined.head(1):
        with pytest.raises(InputError, match="It was refused on"):
            Trace(record, platform.resources, platform.resources["verdicts"], platform.instance)
