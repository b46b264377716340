"""What variants answered: found again by who brings the ids, and by nobody else."""

import json
from pathlib import Path

from resources.answers import Answers, read_answers
from resources.wire import Message, answer


def said(*record_ids: str, reference_id: str = "R1") -> Message:
    decisions = [{"record_id": one, "decision": "match", "reference_id": reference_id} for one in record_ids]
    return answer(200, json.dumps({"decisions": decisions}).encode())


def noted(folder: Path) -> Path:
    file = folder / "answers.jsonl"
    answers = Answers(file)
    answers.note("champion", "v1", said("secret-id", "other"))
    answers.note("challenger", "v2", said("secret-id", reference_id="R2"))
    answers.write()
    return file


def test_the_first_answer_about_a_record_is_found_by_its_id(tmp_path):
    (found,) = read_answers(noted(tmp_path), ["secret-id", "never asked"], 0.0)
    told = {name: found[name] for name in ("record_id", "variant", "version", "decision", "reference_id")}
    assert list(told.values()) == ["secret-id", "champion", "v1", "match", "R1"]


def test_no_id_is_written_and_the_key_is_for_its_owner_alone(tmp_path):
    file = noted(tmp_path)
    assert b"secret-id" not in file.read_bytes()
    assert file.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "answers.key"]


def test_an_earlier_experiment_is_left_out(tmp_path):
    assert read_answers(noted(tmp_path), ["secret-id"], 1e12) == []


def test_what_is_refused_or_cannot_be_read_is_not_noted(tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    for found in (answer(503, b"{}"), answer(200, b"a,b", b"text/csv"), answer(200, b"[]")):
        answers.note("champion", "v1", found)
    answers.write()
    assert read_answers(tmp_path / "answers.jsonl", ["a"], 0.0) == []
