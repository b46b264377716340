"""Closing automatic matching on a platform where a version serves, and opening it again."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress

import dagster as dg
import polars as pl
import pytest

from matching_assets.cli import main
from resources.registry import CLOSES, ModelPackage
from resources.store import MissingError

pytestmark = pytest.mark.slow
SERVING = ["match_decisions", "scoring_telemetry"]


def serving(platform) -> str:
    """The bundle version that the endpoint answers with."""
    (answer,) = platform.endpoint.invoke("matching", [{"record_id": "1", "name": "Apple Inc"}])
    return answer["bundle_version"]


@pytest.fixture(scope="module")
def closed(platform, days) -> Iterator[tuple[ModelPackage, pl.DataFrame]]:
    """The version that was closed by the command, and a day's decisions before. Afterwards all is as it was."""
    champion = platform.registry.champion()
    before = platform.tables.read("match_decisions", days[0])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MATCHING_HOME", "DAGSTER_HOME"):
            patch.setenv(name, str(platform.home))
        patch.setattr(dg.DagsterInstance, "get", staticmethod(lambda: nullcontext(platform.instance)))
        assert main(["close", "--why", "12 of 300 wrong", "--by", "ann"]) == 0
    yield champion, before
    with suppress(MissingError):
        while platform.registry.previous():
            assert platform.run("rollback").success
    assert platform.run("daily_matching", days[0], SERVING).success
    assert platform.registry.champion() == champion


def test_the_endpoint_and_the_registry_say_that_matching_is_closed_and_why(platform, closed):
    champion, _ = closed
    package = platform.registry.champion()
    assert platform.registry.moves()[-1] | {"at": ""} == {
        "action": "close",
        "version": package.version,
        "by": "ann",
        "at": "",
    }
    assert package.lineage[CLOSES] == champion.bundle_digest
    assert serving(platform) == package.lineage["bundle_version"] != champion.lineage["bundle_version"]
    assert (package.certificate["granted"], package.history[-1]["gates"][0]["sentence"]) == (False, "12 of 300 wrong")
    made = {name: value.value for name, value in platform.materialisation("deployed_endpoint").metadata.items()}
    assert (made["closed"], made["why_closed"]) == (True, "12 of 300 wrong")
    assert made["parent_version"] == champion.lineage["bundle_version"]


def test_a_day_is_decided_as_before_but_nothing_is_matched(platform, closed, days):
    _, before = closed
    assert platform.run("daily_matching", days[0], SERVING).success
    after = platform.tables.read("match_decisions", days[0])
    both = before.join(after, on="record_id", suffix="_closed")
    matched = both.filter(pl.col("decision") == "match")
    assert matched.height > 20
    assert set(matched["decision_closed"]) == {"review"}
    assert both["reference_id"].equals(both["reference_id_closed"], null_equal=True)
    others = both.filter(pl.col("decision") != "match")
    assert others["decision"].equals(others["decision_closed"])


def test_closing_a_second_time_does_nothing(platform, closed):
    moves, generation = platform.registry.moves(), platform.endpoint.describe("matching").generation
    versions = platform.registry.list()
    assert platform.run("close_matching").success
    assert platform.registry.moves() == moves
    assert platform.registry.list() == versions
    assert platform.endpoint.describe("matching").generation == generation


def test_a_record_traces_to_the_closed_bundle_and_to_why_it_was_closed(platform, closed, days, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(platform.home / "dagster"))
    (platform.home / "dagster").mkdir(exist_ok=True)
    record = platform.tables.read("match_decisions", days[0])["record_id"][0]
    assert main(["trace", record, "--home", str(platform.home)]) == 0
    said = capsys.readouterr().out
    assert "closed     so it matches nothing: 12 of 300 wrong" in said


def test_a_promotion_opens_it_again_and_passes_the_closed_version_over(platform, closed):
    champion, _ = closed
    assert platform.run("promote").success
    assert platform.registry.champion() == champion
    assert serving(platform) == champion.lineage["bundle_version"]
    assert platform.materialisation("deployed_endpoint").metadata["closed"].value is False


def test_a_rollback_of_what_opened_it_closes_it_again_and_the_next_one_opens_it(platform, closed):
    champion, _ = closed
    seen = []
    for _ in range(2):
        assert platform.run("rollback").success
        seen.append((CLOSES in platform.registry.champion().lineage, serving(platform)))
    assert [is_closed for is_closed, _ in seen] == [True, False]
    assert seen[1][1] == champion.lineage["bundle_version"] != seen[0][1]
