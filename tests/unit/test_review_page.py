"""The review page as a browser without scripts sees it, and what its forms do. The keys are tested in a browser."""

import logging
import re
import threading
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from matching.records import InputError
from matching_assets.review.app import create_app
from matching_assets.review.desk import Desk

from .review_home import landed, make_home, open_desk

TOKEN, PORT = "a-token-of-this-start", 8090
HOME = f"/{TOKEN}/"


class Visitor:
    """A browser on the page of one reviewer, without scripts."""

    def __init__(self, home: Path, reviewer: str) -> None:
        self.desk = open_desk(home, reviewer)
        self.client = TestClient(create_app(self.desk, TOKEN, PORT), base_url=f"http://127.0.0.1:{PORT}")

    def read(self) -> str:
        return self.client.get(HOME).text

    def shown(self) -> str:
        """The record that is asked about."""
        return re.findall(r'name="record_id" value="(.*?)"', self.read())[0]

    def press(self, key: str) -> str:
        """Press the button that has this key, as a form; returns the record that was judged."""
        page = self.read()
        record = re.findall(r'name="record_id" value="(.*?)"', page)
        if key == "z":
            self.client.post(f"{HOME}undo")
            return ""
        (value,) = re.findall(rf'name="verdict" value="([^"]*)" data-key="{key}"', page)
        answer = self.client.post(f"{HOME}verdict", data={"record_id": record[0], "verdict": value})
        assert answer.status_code == 200, answer.text
        return record[0]


@pytest.fixture(scope="module")
def template(tmp_path_factory, small_bundle, small_frames) -> tuple[Path, pl.DataFrame]:
    """A state folder that is not changed: tests put their verdicts elsewhere."""
    home = tmp_path_factory.mktemp("home")
    odd = pl.DataFrame({"record_id": ["<b>"], "name": ["<script>alert(1)</script> & Söhne"]})
    records = pl.concat([small_frames.records.head(120), odd], how="diagonal")
    return home, make_home(home, small_bundle, records)


@pytest.fixture
def visit(template, tmp_path, monkeypatch):
    """Sit down as a reviewer; the verdicts lie in the test's own folder."""
    from matching_assets.review.verdicts import verdicts_below

    from . import review_home

    monkeypatch.setattr(review_home, "verdicts_below", lambda _: verdicts_below(tmp_path))
    return lambda reviewer="r1": Visitor(template[0], reviewer)


def test_yes_labels_the_proposed_reference_and_none_that_there_is_none(visit, template, tmp_path) -> None:
    queue = dict(template[1].filter(pl.col("reviewers") == 1).select("record_id", "reference_id").iter_rows())
    visitor = visit()
    judged = {visitor.press(key): key for key in "y0y0y0"}
    expected = {record: queue[record] if key == "y" else None for record, key in judged.items() if record in queue}
    assert landed(tmp_path) == expected
    assert len(expected) >= 4


def test_a_number_chooses_its_candidate(visit, tmp_path, template) -> None:
    visitor = visit()
    (second,) = re.findall(r'value="yes ([^"]*)" data-key="2"', visitor.read())
    record = visitor.press("2")
    assert visitor.desk.verdicts.read().select("record_id", "reference_id").rows() == [(record, second)]


@pytest.mark.parametrize("key", ["u", "n"])
def test_unsure_and_no_are_kept_but_are_no_labels(visit, tmp_path, key) -> None:
    visitor = visit()
    record = visitor.press(key)
    assert visitor.desk.verdicts.read()["record_id"].to_list() == [record]
    assert landed(tmp_path) == {}


def test_undo_takes_the_label_back_and_shows_the_record_again(visit, tmp_path) -> None:
    visitor = visit()
    record = visitor.press("0")
    visitor.press("z")
    assert visitor.shown() == record
    assert landed(tmp_path) == {}
    assert visitor.desk.verdicts.read()["verdict"].to_list() == ["none", "withdrawn"]


def test_an_earlier_verdict_can_be_taken_back_from_the_list(visit) -> None:
    visitor = visit()
    first, _ = visitor.press("0"), visitor.press("0")
    assert f'aria-label="Judge {first} again"' in visitor.client.get(f"{HOME}history").text
    visitor.client.post(f"{HOME}undo", data={"record_id": first})
    assert visitor.shown() == first


def test_somebody_elses_verdict_cannot_be_taken_back(visit) -> None:
    record = visit("r1").press("0")
    other = visit("r2")
    assert "Judge again" not in other.client.get(f"{HOME}history").text
    other.client.post(f"{HOME}undo", data={"record_id": record})
    assert other.desk.verdicts.read().height == 1


def test_a_record_whose_bundle_is_gone_is_passed_over_and_told(visit, template, monkeypatch) -> None:
    visitor = visit()
    first = visitor.shown()
    lost = visitor.desk.queue().with_columns(
        bundle_version=pl.when(pl.col("record_id") == first).then(pl.lit("gone")).otherwise("bundle_version")
    )
    monkeypatch.setattr(visitor.desk, "queue", lambda: lost)
    page = visitor.read()
    assert f'value="{first}"' not in page
    assert "Passed over, because they cannot be shown: 1. bundle gone is not registered" in page


def test_a_verdict_says_who_when_how_fast_and_what_was_shown(visit) -> None:
    visitor = visit("r017")
    record = visitor.press("y")
    (verdict,) = visitor.desk.verdicts.read().to_dicts()
    assert (verdict["record_id"], verdict["reviewer"], verdict["verdict"]) == (record, "r017", "yes")
    assert 0 <= verdict["seconds"] < 60
    assert all(verdict[c] is not None for c in ("decided_at", "bundle_version", "shown_decision", "queue_day", "why"))


def test_two_people_are_not_shown_the_same_record_at_once(visit) -> None:
    assert visit("r1").shown() != visit("r2").shown()


def test_the_same_record_is_shown_until_it_is_judged(visit) -> None:
    visitor = visit()
    first = visitor.shown()
    assert visitor.shown() == first
    visitor.press("0")
    assert visitor.shown() != first


def doubled(template) -> str:
    return template[1].filter(pl.col("reviewers") == 2)["record_id"][0]


def test_a_record_for_two_is_a_label_only_when_both_agree(visit, template, tmp_path) -> None:
    record = doubled(template)
    visit("r1").desk.answer(record, "none")
    assert landed(tmp_path) == {}
    visit("r2").desk.answer(record, "none")
    assert landed(tmp_path) == {record: None}


def test_the_second_person_is_not_told_what_the_first_said(visit, template) -> None:
    record = doubled(template)
    visit("r1").desk.answer(record, "none")
    second = visit("r2")
    second.desk.verdicts.claim("r2", record)
    assert second.shown() == record
    assert "r1" not in re.sub(r"<nav.*?</nav>", "", second.read())


def test_who_adjudicates_is_asked_first_and_told_what_the_two_said(visit, template, tmp_path) -> None:
    record = doubled(template)
    visit("r1").desk.answer(record, "none")
    visit("r2").desk.answer(record, "yes")
    third = visit("r3")
    assert third.shown() == record
    page = third.read()
    assert "Two people disagree" in page
    assert "r1: no reference is right" in page
    third.press("0")
    assert landed(tmp_path) == {record: None}


def test_a_label_that_was_not_written_is_written_when_somebody_sits_down(visit, tmp_path) -> None:
    visitor = visit()
    while not landed(tmp_path):
        visitor.press("0")
    before = landed(tmp_path)
    for file in (tmp_path / "landing" / "labels").iterdir():
        file.unlink()
    visit("r2")
    assert landed(tmp_path) == before


def test_verdicts_that_meet_are_all_kept(visit, template) -> None:
    desks: list[Desk] = [visit(f"r{i}").desk for i in range(4)]
    ids = template[1]["record_id"].head(5).to_list()
    threads = [threading.Thread(target=lambda d=d: [d.answer(i, "unsure") for i in ids]) for d in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desks[0].verdicts.read().height == 20


def test_a_reference_that_was_not_shown_is_refused(visit, template) -> None:
    with pytest.raises(InputError, match="not shown"):
        visit().desk.answer(template[1]["record_id"][0], "yes", "made-up")


def test_a_form_that_says_nonsense_is_answered_in_words_and_changes_nothing(visit) -> None:
    visitor = visit()
    for form in ({}, {"record_id": "x", "verdict": "none"}, {"record_id": visitor.shown(), "verdict": "maybe"}):
        answer = visitor.client.post(f"{HOME}verdict", data=form)
        assert answer.status_code == 409
        assert "Not recorded" in answer.text
    assert visitor.client.post(f"{HOME}verdict", content=b"a" * 10_000).status_code == 409
    assert visitor.client.post(f"{HOME}verdict", content=b"verdict=%ff").status_code == 409
    assert visitor.desk.verdicts.read().is_empty()


@pytest.mark.parametrize("path", ["/", "//", "/history", "/another-token/", f"/{TOKEN}x/", "/review.css"])
def test_nothing_is_told_without_the_token(visit, path) -> None:
    answer = visit().client.get(path)
    assert (answer.status_code, answer.text) == (404, "Not found.")


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"host": f"evil.example:{PORT}"}, {"origin": "http://evil.example"},
                {"origin": "null"}, {"origin": f"https://127.0.0.1:{PORT}"}]
)  # fmt: skip
def test_a_post_from_elsewhere_is_refused_even_with_the_token(visit, headers) -> None:
    visitor = visit()
    form = {"record_id": visitor.shown(), "verdict": "none"}
    assert visitor.client.post(f"{HOME}verdict", data=form, headers=headers).status_code == 404
    assert visitor.desk.verdicts.read().is_empty()


def test_a_name_is_text_and_never_markup(visit) -> None:
    visitor = visit()
    visitor.desk.verdicts.claim("r1", "<b>")
    page = visitor.read()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne" in page
    assert re.findall(r"<script[^>]*>", page) == [f'<script src="{HOME}keys.js" defer>']


def test_the_policy_of_every_answer_lets_in_no_inline_script_and_no_frame(visit) -> None:
    for path in (HOME, f"{HOME}history", f"{HOME}keys.js", "/"):
        policy = visit().client.get(path).headers["content-security-policy"]
        assert "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'" in policy
        assert "unsafe" not in policy


def test_a_page_has_no_inline_script_or_style(visit) -> None:
    page = visit().read()
    assert re.findall(r"\son\w+=|\sstyle=|javascript:", page) == []


def test_the_page_can_be_used_without_seeing_it(visit) -> None:
    page = visit().read()
    assert '<html lang="en">' in page
    assert '<label for="progress">' in page
    assert page.count("<h1") == 1
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert "<caption>" in table
        assert re.search(r'<th scope="(row|col)"', table)


def test_a_pairing_is_said_in_words_beside_its_colour(visit) -> None:
    page = visit().read()
    kinds = re.findall(r'<td class="(exact|abbreviation|spelling|joined|initials|left-over)">', page)
    said = re.findall(r"<td>(exact|abbreviation|spelling|joined|initials|left over)</td>", page)
    assert len(kinds) == 2 * len(said) > 0


def test_the_history_says_who_decided_what_when(visit) -> None:
    visitor = visit("r017")
    record = visitor.press("0")
    history = visitor.client.get(f"{HOME}history").text
    assert all(text in history for text in (record, "r017", "no reference is right"))


def test_when_all_is_judged_the_page_says_so(visit, template) -> None:
    visitor = visit()
    for record in template[1]["record_id"]:
        visitor.desk.answer(record, "unsure")
    assert "Nothing is left for you" in visitor.read()
    assert visitor.desk.progress().left == 0


def test_no_name_is_logged(visit, caplog, template, small_frames) -> None:
    with caplog.at_level(logging.DEBUG):
        visitor = visit()
        record = visitor.press("y")
    (name,) = small_frames.records.filter(record_id=record)["name"]
    assert name not in caplog.text
