"""What is too old is deleted by its class, and what somebody asks to have erased is nowhere any more."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from matching.files import file_digest
from matching.records import write_table
from matching.tokens import TokenKey
from matching.verdicts import VERDICTS
from matching_assets import erasure
from matching_assets.landing import of_day
from resources.iceberg import Part
from resources.retention import referenced

DAY, NAME, ID = "2026-01-05", "Zyxomma Petiolatum Holdings", "person-4711"
KEY = TokenKey.of("2026a:s3cr3t")
WORDS = (ID, NAME[:16], "Zyxton", KEY.token(ID))  # statistics of files keep the first letters only


def on_day(frame: pl.DataFrame, day: str = DAY) -> pl.DataFrame:
    return of_day(frame, date.fromisoformat(day))


def part(day: str = DAY) -> Part:
    return Part("day", days=(date.fromisoformat(day),) * 2)


def verdict(record_id: str) -> dict:
    row = dict.fromkeys(VERDICTS) | {"record_id": record_id, "reviewer": "r1", "verdict": "yes", "reviewers": 1}
    return row | {"reference_id": "x", "decided_at": datetime(2026, 1, 5, 9, tzinfo=UTC), "why": "audit"}


def known_platform(platform):
    """A platform that knows a record wherever one can be known, and another beside it."""
    ids = [ID, "other"]
    records = pl.DataFrame({"record_id": ids, "name": [NAME, "SAP"], "city": ["Zyxton", "Walldorf"]})
    platform.land(f"records/{DAY}", records)
    write_table(records, platform.landing / "records" / "2026-01-06.csv")
    platform.land("labels/sample", pl.DataFrame({"record_id": ids, "reference_id": ["x", "y"]}))
    for _ in range(2):  # the first version of the day is in the table too
        platform.tables.write("clean_records", on_day(records), part())
    measured = pl.DataFrame({"record_id": ids, "probability": [0.5, 0.6]})
    platform.tables.write("match_decisions", on_day(measured), part())
    platform.tables.write("endpoint_telemetry", on_day(measured.with_columns(record_id=tokens(ids))), part())
    platform.resources["telemetry"].record(measured, date(2026, 1, 5))
    spool = Path(platform.resources["traffic"].root) / f"day={DAY}" / "1.parquet"
    spool.parent.mkdir(parents=True)
    measured.with_columns(record_id=tokens(ids)).write_parquet(spool)
    for one in ids:
        platform.resources["verdicts"].add(verdict(one))
    platform.resources["verdicts"].claim("r2", ID)
    return platform


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MATCHING_TOKEN_KEY", "2026a:s3cr3t")


@pytest.fixture
def known(new_platform):
    return known_platform(new_platform())


@pytest.fixture(scope="module")
def erased(platform_in, tmp_path_factory):
    """The same after the record was erased, twice. Read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATCHING_TOKEN_KEY", "2026a:s3cr3t")
        platform = known_platform(platform_in(tmp_path_factory.mktemp("erased") / "home"))
        assert len(who_tells(platform, *WORDS)) > 8
        for _ in range(2):
            erasure.request(platform.landing, [ID])
            assert platform.run("erase").success
    return platform


def tokens(ids: list[str]) -> pl.Series:
    return pl.Series("record_id", [KEY.token(one) for one in ids])


def contents(home: Path) -> Iterator[tuple[str, str]]:
    """All that lies in a folder, as text: what Parquet files hold, and the bytes of all other files."""
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        yield str(path), raw.decode("latin-1")
        if path.suffix == ".parquet":
            yield str(path), json.dumps(pl.read_parquet(path).to_dicts(), default=str)


def bounds(platform) -> Iterator[tuple[str, str]]:
    """What the versions of all tables say of their files, those that they deleted too; it is packed on disk."""
    with platform.tables._catalog() as catalog:
        for _, name in catalog.list_tables("matching"):
            table = catalog.load_table(f"matching.{name}")
            for manifest in (one for version in table.snapshots() for one in version.manifests(table.io)):
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                    found = {**entry.data_file.lower_bounds, **entry.data_file.upper_bounds}
                    yield manifest.manifest_path, " ".join(value.decode("latin-1") for value in found.values())


def who_tells(platform, *words: str) -> set[str]:
    places = [*contents(platform.home), *bounds(platform)]
    return {path for path, text in places if any(word in text for word in words)}


def test_what_is_erased_is_nowhere_any_more(erased):
    assert who_tells(erased, *WORDS) == set()


def test_no_file_is_left_of_the_versions_that_had_it(erased):
    with erased.tables._catalog() as catalog:
        tables = [catalog.load_table(f"matching.{name}") for _, name in catalog.list_tables("matching")]
        needed = {path.removeprefix("file://") for table in tables for path in referenced(table)}
    there = {str(path) for path in Path(erased.tables.warehouse).rglob("*") if path.suffix in (".avro", ".parquet")}
    assert there <= needed


def test_what_others_are_known_by_is_left(erased):
    for table in ("clean_records", "match_decisions"):
        assert erased.tables.read(table)["record_id"].to_list() == ["other"]
    assert erased.tables.read("endpoint_telemetry")["record_id"].to_list() == [KEY.token("other")]
    assert erased.resources["telemetry"].read(date(2026, 1, 5))["record_id"].to_list() == ["other"]
    assert erased.resources["verdicts"].read()["record_id"].to_list() == ["other"]
    assert pl.read_csv(erased.landing / "records" / "2026-01-06.csv")["name"].to_list() == ["SAP"]


def test_a_landed_file_that_lost_a_row_is_no_new_delivery(erased):
    noted = erased.materialisation("raw_records", DAY).metadata["source_sha256"].value
    assert noted == file_digest(erased.landing / "records" / f"{DAY}.parquet")


def test_a_request_that_was_done_is_gone(erased):
    assert list((erased.landing / "erasures").iterdir()) == []


def test_a_token_can_be_erased_without_its_id(known):
    erasure.request(known.landing, [KEY.token(ID)])
    assert known.run("erase").success
    assert who_tells(known, KEY.token(ID)) == set()
    assert known.tables.read("match_decisions").height == 2


def test_expiring_leaves_what_is_current(known):
    result = known.run("expire", ops={"forget_replaced_versions": {"days": 0}, "forget_old_days": {"today": DAY}})
    assert result.success
    assert known.tables.read("clean_records").height == 2
    assert known.resources["verdicts"].read().height == 2


def test_each_class_of_data_is_kept_for_its_own_days(known):
    days = {"telemetry": 30, "decisions": 90, "records": 60, "verdicts": 90, "today": "2026-03-10"}
    assert known.run("expire", ops={"forget_old_days": days}).success
    left = {name: known.tables.read(name).height for name in ("endpoint_telemetry", "clean_records", "match_decisions")}
    assert left == {"endpoint_telemetry": 0, "clean_records": 0, "match_decisions": 2}
    assert known.resources["telemetry"].read(date(2026, 1, 5)).is_empty()
    assert list((known.landing / "records").iterdir()) == []
    assert known.resources["verdicts"].read().height == 2


def test_old_verdicts_go_with_their_labels(known):
    days = {"verdicts": 30, "today": "2026-03-10"}
    assert known.run("expire", ops={"forget_old_days": days}).success
    assert known.resources["verdicts"].read().is_empty()
    assert [path.name for path in (known.landing / "labels").iterdir()] == ["sample.parquet"]
