"""When new labels are worth a retraining."""

from sensors.rules.labels import LabelFile, decide

OLD = LabelFile("a" * 64, rows=500)
NEW = LabelFile("b" * 64, rows=60)


def test_labels_below_the_minimum_start_nothing_and_say_how_many_there_are() -> None:
    decision = decide({"new.csv": NEW}, {}, None, wait_for=None, minimum=61)
    assert decision.run_key is None
    assert (decision.new_rows, "60 new labels" in decision.sentence) == (60, True)


def test_labels_at_the_minimum_start_a_retraining() -> None:
    assert decide({"new.csv": NEW}, {}, None, wait_for=None, minimum=60).run_key is not None


def test_labels_that_the_last_training_read_are_not_new() -> None:
    files = {"old.csv": OLD, "new.csv": NEW}
    assert decide(files, {"old.csv": OLD.digest}, "run1", wait_for=None, minimum=100).new_rows == 60


def test_a_corrected_file_counts_with_all_its_rows() -> None:
    assert decide({"old.csv": OLD}, {"old.csv": "0" * 64}, "run1", wait_for=None, minimum=100).new_rows == 500


def test_new_labels_wait_for_what_is_under_way_and_say_so() -> None:
    decision = decide({"old.csv": OLD}, {}, "run1", wait_for="another retraining", minimum=100)
    assert decision.run_key is None
    assert "another retraining" in decision.sentence


def test_the_same_labels_have_the_same_run_key_and_other_labels_another() -> None:
    def key(file: LabelFile, trained_by: str | None = "run1") -> str | None:
        return decide({"old.csv": file}, {}, trained_by, wait_for=None, minimum=1).run_key

    assert key(OLD) == key(OLD)
    assert len({key(OLD), key(NEW), key(OLD, trained_by="run2")}) == 3


def test_of_a_file_that_the_review_page_lets_grow_only_what_came_counts() -> None:
    grown = {"verdicts-2026-01-07-r1.parquet": LabelFile("b" * 64, rows=140)}
    known = dict.fromkeys(grown, "a" * 64)
    read = dict.fromkeys(grown, 130)
    assert decide(grown, known, "run1", wait_for=None, minimum=100, known_rows=read).new_rows == 10


def test_a_delivered_file_that_grew_still_counts_with_all_its_rows() -> None:
    known = {"old.csv": "0" * 64}
    assert (
        decide({"old.csv": OLD}, known, "run1", wait_for=None, minimum=100, known_rows={"old.csv": 400}).new_rows == 500
    )
