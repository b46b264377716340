"""The command line: what may be written, what is answered to a mistake, and files that appear whole or not at all."""

import io
import socket

import polars as pl
import pytest

from matching.records import InputError, read_table
from matching_assets.cli import COMMANDS, main
from matching_assets.commands.tables import appending, quarantine_path
from matching_assets.instance import CHECKOUT, prepare_instance
from matching_assets.progress import bar

NAMES = [command.__name__.rpartition(".")[2] for command in COMMANDS]
FRAME = pl.DataFrame({"record_id": ["1", "2"], "reasons": [[{"code": "NAME"}], [{"code": "CITY"}]]})


def refusal(capsys, *arguments):
    """The one line on stderr that a wrong call gets, with exit code 2."""
    assert main(list(arguments)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


def usage(capsys, *arguments):
    """The last line that argparse writes for a wrong option, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "records.csv"
    path.write_text("record_id,name\n1,Acme Corp\n")
    return str(path)


def match(records, tmp_path, decisions="decisions.csv"):
    return [
        "match",
        "--bundle",
        str(tmp_path / "bundle"),
        "--records",
        records,
        "--decisions",
        str(tmp_path / decisions),
    ]


def test_the_commands_are_those_of_the_manual():
    with_files = "demo fit match reindex update explain serve evaluate"
    with_a_platform = "review trace rescore promote ab rollback close health erase dev"
    assert [*with_files.split(), *with_a_platform.split()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: matching {name}" in capsys.readouterr().out


def test_no_command_is_a_wrong_call(capsys):
    assert "COMMAND" in usage(capsys)


@pytest.mark.parametrize("call", [["trace", "r1"], ["review", "--reviewer", "r1"]])
def test_a_folder_that_is_no_state_folder_is_named_and_nothing_is_made_in_it(tmp_path, capsys, call):
    said = refusal(capsys, *call, "--home", str(tmp_path / "none"))
    assert "this is no state folder" in said
    assert list(tmp_path.iterdir()) == []


def test_a_reviewer_is_an_id_and_not_a_name(tmp_path, capsys):
    assert "is no reviewer id" in refusal(capsys, "review", "--reviewer", "Ann Smith", "--home", str(tmp_path))


def test_a_review_without_a_queue_says_how_to_get_one(tmp_path, capsys):
    (tmp_path / "dagster").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    said = refusal(capsys, "review", "--reviewer", "r1", "--home", str(tmp_path), "--port", port)
    assert "launch `daily_matching`" in said


def test_a_missing_file_is_named(tmp_path, capsys):
    missing = str(tmp_path / "missing.csv")
    assert refusal(capsys, *match(missing, tmp_path)) == f"matching: file {missing}: no such file. Check the path."


def test_a_missing_column_is_named_with_its_file(tmp_path, records, capsys):
    (tmp_path / "records.csv").write_text("record_id,title\n1,Acme Corp\n")
    assert f"file {records}, column name: the column is missing" in refusal(capsys, *match(records, tmp_path))


def test_a_file_without_a_usable_row_is_refused_and_the_reasons_are_kept(tmp_path, records, capsys):
    (tmp_path / "records.csv").write_text("record_id,name\n1,\n2,...\n")
    assert "no row can be used" in refusal(capsys, *match(records, tmp_path))
    assert read_table(tmp_path / "decisions.quarantine.csv")["rule"].to_list() == ["name_present", "name_present"]


def test_the_quarantine_of_an_earlier_run_does_not_stay(tmp_path, records, capsys):
    stale = tmp_path / "decisions.quarantine.csv"
    stale.write_text("row\n1\n")
    main(match(records, tmp_path))
    assert not stale.exists()


def test_a_missing_bundle_is_named(tmp_path, records, capsys):
    assert str(tmp_path / "bundle") in refusal(capsys, *match(records, tmp_path))


@pytest.mark.parametrize("share", ["0", "1", "1.5", "-1", "nan"])
def test_a_precision_that_is_no_share_is_refused(share, tmp_path, capsys):
    assert "is not above 0 and below 1" in usage(
        capsys,
        "fit",
        "--reference",
        "r",
        "--records",
        "r",
        "--labels",
        "l",
        "--bundle",
        "b",
        "--target-precision",
        share,
    )


def test_a_bundle_is_never_overwritten(tmp_path, capsys):
    line = usage(
        capsys, "fit", "--reference", "r.csv", "--records", "r.csv", "--labels", "l.csv", "--bundle", str(tmp_path)
    )
    assert "a bundle never changes" in line


def test_a_bundle_is_a_local_folder(capsys):
    assert "is not a local folder" in usage(capsys, "serve", "--bundle", "s3://bucket/bundle")


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MATCHING_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{number}" in refusal(capsys, "dev", "--port", number)


def test_no_bar_is_drawn_where_nobody_looks(monkeypatch):
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    with bar(3, "matching", "records") as shown:
        shown.update(3)
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("output", "quarantine"),
    [
        ("out/decisions.csv", "out/decisions.quarantine.csv"),
        ("s3://bucket/decisions.parquet", "s3://bucket/decisions.quarantine.csv"),
        ("bundles/v1.2/", "bundles/v1.2.quarantine.csv"),
    ],
)
def test_quarantine_lies_beside_the_output(output, quarantine):
    assert quarantine_path(output) == quarantine


@pytest.mark.parametrize("name", ["out.parquet", "out.csv"])
def test_appended_frames_are_one_table(name, tmp_path):
    path = tmp_path / name
    with appending(str(path)) as append:
        append(FRAME[:1])
        append(FRAME[1:])
    assert read_table(path)["record_id"].to_list() == ["1", "2"]
    assert "CITY" in str(read_table(path)["reasons"].to_list()[1])


def append_half_and_stop(path):
    with appending(str(path)) as append:
        append(FRAME[:1])
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["out.parquet", "out.csv"])
def test_a_table_that_was_not_finished_leaves_the_earlier_one(name, tmp_path):
    path = tmp_path / name
    with appending(str(path)) as append:
        append(FRAME)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        append_half_and_stop(path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, before)]


def test_an_output_of_another_kind_is_refused_before_the_work():
    with pytest.raises(InputError, match=r"out\.xlsx: not a \.csv or \.parquet file"), appending("out.xlsx"):
        pytest.fail("the work began")


def test_an_instance_is_configured_by_the_checkout_and_keeps_its_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("MATCHING_HOME", "")
    folder = prepare_instance(tmp_path)
    (folder / "history").write_text("runs")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: true}")
    prepare_instance(tmp_path)
    assert (folder / "dagster.yaml").read_bytes() == (CHECKOUT / "dagster.yaml").read_bytes()
    assert (folder / "history").read_text() == "runs"
