"""The contract of the training program with whoever starts it: files, exit codes, and what is said of a failure."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from matching.files import folder_digest
from matching.fit_config import FitConfig
from matching.ranker import RankerConfig
from matching.records import InputError
from matching.retrieval.encoder import EncoderConfig
from matching.train import main, run
from matching.training_steps import STEPS, config_of, read_input, settings_of, write_tables

TABLES = {
    "reference": pl.DataFrame({"reference_id": ["r1", "r2"], "name": ["Acme Corp", "Brown plc"]}),
    "records": pl.DataFrame({"record_id": ["1", "2", "3"], "name": ["ACME", "Brown", None]}),
    "labels": pl.DataFrame({"record_id": ["1", "2"], "reference_id": ["r1", None]}),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A container's /opt/ml, with three tables that arrived and the step that guards them."""
    write_tables(TABLES, tmp_path / "input" / "data")
    return set_hyperparameters(tmp_path, step="prepare")


def set_hyperparameters(root: Path, **values: str) -> Path:
    config = root / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "hyperparameters.json").write_text(json.dumps(values))
    return root


def failure(root: Path) -> str:
    texts = {(root / "output" / name).read_text() for name in ("failure", "message")}
    assert len(texts) == 1
    return texts.pop()


def test_a_container_reads_channels_and_leaves_its_result_in_model(root, capsys):
    assert main(["train", "--root", str(root)]) == 0

    assert read_input(root / "model", "reference").height == 2
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["step"], said["digest"]) == ("prepare", folder_digest(root / "model"))
    assert not (root / "output").exists()


def test_what_the_guards_refuse_is_kept_beside_what_they_accept(root, capsys):
    main(["train", "--root", str(root)])

    said = json.loads(capsys.readouterr().out.splitlines()[-1])["metrics"]
    assert (said["records_accepted"], said["records_quarantined"]) == (2, 1)
    assert pl.read_parquet(root / "model" / "quarantine" / "records.parquet").height == 1


def test_the_files_of_a_channel_are_one_table(tmp_path):
    (tmp_path / "records").mkdir()
    for part in ("b", "a"):
        TABLES["records"].with_columns(record_id=part + pl.col("record_id")).write_csv(tmp_path / f"records/{part}.csv")

    assert read_input(tmp_path, "records")["record_id"].to_list() == ["a1", "a2", "a3", "b1", "b2", "b3"]


def test_files_of_one_channel_with_other_columns_are_refused(tmp_path):
    (tmp_path / "records").mkdir()
    TABLES["records"].write_csv(tmp_path / "records/a.csv")
    TABLES["labels"].write_csv(tmp_path / "records/b.csv")

    with pytest.raises(InputError, match="files differ"):
        read_input(tmp_path, "records")


def test_a_processing_job_names_its_folders_and_settings(root, tmp_path):
    output = tmp_path / "processing" / "output"
    arguments = ["--step=prepare", f"--input={root}/input/data", f"--output={output}", "--set=seed=3"]

    assert main(["--root", str(tmp_path / "nothing"), *arguments]) == 0
    assert read_input(output, "labels").height == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"step": "cook"}, "'cook' is no step"),
        ({"step": "prepare", "sead": "7"}, "column sead: no such setting"),
        ({"step": "prepare", "seed": "seven"}, "column seed: seven is no int"),
        ({"step": "prepare", "encoder": "{}"}, "column encoder: no such setting"),
    ],
)
def test_a_wrong_call_is_exit_code_2_and_its_reason_is_left_for_sagemaker(root, settings, said):
    set_hyperparameters(root, **settings)

    assert main(["train", "--root", str(root)]) == 2
    assert said in failure(root)
    assert not (root / "model").exists()


def test_a_channel_that_is_missing_is_named(root):
    (root / "input" / "data" / "records" / "table.parquet").unlink()

    assert main(["train", "--root", str(root)]) == 2
    assert "the input records is missing" in failure(root)


def test_an_unexpected_error_tells_its_place_and_not_its_text(root, monkeypatch, capsys):
    name = TABLES["reference"]["name"][0]

    def break_down(*_):
        raise ValueError(name)

    monkeypatch.setitem(STEPS, "prepare", break_down)

    assert main(["train", "--root", str(root)]) == 1
    assert failure(root).startswith("ValueError in test_train.py, line ")
    assert name not in failure(root) + "".join(capsys.readouterr())


def test_what_is_there_is_never_written_over(root):
    inputs = root / "input" / "data"

    with pytest.raises(InputError, match="the folder is not empty"):
        run("prepare", inputs, FitConfig(), inputs)


def test_an_output_that_is_mounted_stays_where_it_is(root):
    model = root / "model"
    model.mkdir()
    before = model.stat().st_ino
    run("prepare", root / "input" / "data", FitConfig(), model)

    assert model.stat().st_ino == before
    assert {path.name for path in model.iterdir()} == {"reference", "records", "labels", "quarantine"}


def test_settings_say_everything_about_a_configuration():
    config = FitConfig(target_precision=0.9, invented=True, encoder=EncoderConfig(steps=3), ranker=RankerConfig(l2=1))

    assert config_of(settings_of(config)) == config
    assert config_of({}) == FitConfig()


def test_sigterm_is_an_orderly_end(root):
    os.mkfifo(root / "input" / "data" / "records" / "later.csv")
    command = [sys.executable, "-m", "matching.train", "--root", str(root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "matching.train: reference\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
