"""Every alert names a page that is there: each fault is injected, and what rings must name its page and its number."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from matching_assets import runbooks
from matching_assets.checks import features, monitoring, records, reference, review, serving
from matching_assets.definitions import defs
from matching_assets.settings import Review
from resources.alarms import Burn
from resources.alerts import LocalAlerts
from sensors import heartbeats
from sensors.checks import check_failures
from sensors.failures import run_failures
from sensors.reporting import tell_of_a_missing_day, tell_of_files, tell_of_state
from sensors.rules import endpoint as endpoint_rule
from sensors.rules.heartbeats import Beat, decide, undelivered

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md"))
CHECKS = [spec for checks in defs.asset_checks or [] for spec in checks.check_specs]
CHECKS += [
    spec for assets in defs.assets or [] if isinstance(assets, dg.AssetsDefinition) for spec in assets.check_specs
]
Fault = Callable[[LocalAlerts], None]


def failing(check: str, found: Callable[[], dg.AssetCheckResult]) -> Fault:
    """A run in which this check fails with what the real check says of bad data; the sensor hears of it."""

    def inject(alerts: LocalAlerts) -> None:
        @dg.asset
        def some_asset() -> None: ...

        @dg.asset_check(asset=some_asset, name=check)
        def failed() -> dg.AssetCheckResult:
            return found()._replace(check_name=None, asset_key=None)

        instance = dg.DagsterInstance.ephemeral()
        dg.materialize([some_asset, failed], instance=instance, raise_on_error=False)
        check_failures(dg.build_sensor_context(instance, resources={"alerts": alerts}))

    return inject


def facts(**known: object) -> Callable[[Path], Path]:
    def folder(at: Path) -> Path:
        at.mkdir(exist_ok=True)
        (at / "facts.json").write_text(json.dumps(known))
        return at

    return folder


def run_that_fails(alerts: LocalAlerts) -> None:
    @dg.op
    def score() -> None:
        raise OSError("no space left on device")

    @dg.job
    def daily_matching() -> None:
        score()

    instance = dg.DagsterInstance.ephemeral()
    daily_matching.execute_in_process(instance=instance, raise_on_error=False)
    run_failures(dg.build_sensor_context(instance, resources={"alerts": alerts}))


def unwell(*silent: str, reason: str = "", burning: tuple[Burn, ...] = (), rejected: int | None = None) -> Fault:
    """What the endpoint's rule says of such health, told as its sensor does."""

    troubles = endpoint_rule.decide(endpoint_rule.Health("InService", silent, reason, burning, rejected))
    return lambda alerts: tell_of_state(alerts, (endpoint_rule.ABOVE,), troubles)


def alarming(check: Callable[[pl.DataFrame], dg.AssetCheckResult]) -> Callable[[], dg.AssetCheckResult]:
    rows = [("name_length", "ALARM", 0.4, "mean 12"), ("f_core", "OK", 0.1, "mean 0.5")]
    return lambda: check(pl.DataFrame(rows, schema=["column", "status", "effect", "current"], orient="row"))


def contradiction() -> dg.AssetCheckResult:
    ids = [str(n) for n in range(120)]
    labels = pl.DataFrame({"record_id": ids, "reference_id": ["a", "b"] * 60})
    records_of_one_name = pl.LazyFrame({"record_id": ids, "name": ["IBM"] * 120})
    master = pl.DataFrame({"reference_id": ["a", "b"], "merged_ids": [["c"], []]})
    return reference.label_consistency(labels, records_of_one_name, master)


def no_certificate() -> dg.AssetCheckResult:
    known = {
        "granted": False,
        "statement": "None was granted.",
        "p_value": 0.2,
        "entities": 31,
        "accepted": 0,
        "errors": 0,
    }
    return features.certificate_present(facts(policy={"certificate": known})(SCRATCH))


def lost_candidates() -> dg.AssetCheckResult:
    labels = pl.DataFrame({"record_id": ["1", "2"], "reference_id": ["a", "b"]})
    return features.candidate_recall(pl.DataFrame({"record_id": ["1"], "reference_id": ["a"], "rank": [1]}), labels)


def undecided() -> dg.AssetCheckResult:
    about = {"experiment": "x", "verdict": "undecided", "sentence": "Nothing is shown yet."}
    return serving.experiment_verdict(facts(**about)(SCRATCH))


def audit_with_a_hole() -> dg.AssetCheckResult:
    ids = [f"r{n}" for n in range(400)]
    decisions = pl.DataFrame({"record_id": ids}).with_columns(decision=pl.lit("match"))
    queue = pl.DataFrame(schema={"record_id": pl.String, "why": pl.String, "reviewers": pl.Int64, "day": pl.Date})
    labels = pl.DataFrame(schema={"record_id": pl.String, "reference_id": pl.String})
    return review.audit_is_random(queue, decisions, labels, Review())


FAULTS: dict[str, Fault] = {
    "file-not-taken": lambda alerts: tell_of_files(alerts, "records", {"x.csv": "x.csv is not named after a day."}),
    "day-missing": lambda alerts: tell_of_a_missing_day(alerts, "The file of 2026-01-09 has not come."),
    "delivery-broken": failing("guardrails_share", lambda: records.guardrails_share(1, 2)),
    "feed-unusual": failing("quarantine_share", lambda: records.quarantine_share(9, 1)),
    "labels-contradict": failing("label_consistency", contradiction),
    "platform-at-fault": failing("nothing_lost", lambda: records.nothing_lost(2, 1, 0)),
    "certificate-missing": failing("certificate_present", no_certificate),
    "version-refused": failing("candidate_recall", lost_candidates),
    "not-promoted": failing("experiment_verdict", undecided),
    "run-failed": run_that_fails,
    "endpoint-silent": unwell("champion"),
    "rollout-turned-back": unwell(reason="error_share was 0.2"),
    "error-budget": unwell(burning=(Burn("availability", "ERROR", 20.0, "It burns 20 times too fast."),)),
    "champion-rejected": unwell(rejected=3),
    "drift": failing("no_drift", alarming(monitoring.no_drift)),
    "predictions": failing("predictions_steady", alarming(monitoring.predictions_steady)),
    "concept": failing("concept_steady", alarming(monitoring.concept_steady)),
    "precision": failing("precision_holds", alarming(monitoring.precision_holds)),
    "audit-not-random": failing("audit_is_random", audit_with_a_hole),
    "review-desk": failing(
        "review_fits_capacity",
        lambda: review.review_fits_capacity(pl.DataFrame({"reviewers": [2] * 9}), Review(capacity=4)),
    ),
    "sensor-dead": lambda alerts: tell_of_state(
        alerts, heartbeats.WATCHED, decide([Beat("run_failures", 30, True)], 0.0, 3600.0)
    ),
    "webhook-down": lambda alerts: tell_of_state(alerts, heartbeats.WATCHED, undelivered(3, 0.0, 3600.0)),
}
SCRATCH = Path()


@pytest.fixture
def alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalAlerts:
    monkeypatch.setitem(globals(), "SCRATCH", tmp_path / "scratch")
    return LocalAlerts(path=str(tmp_path / "alerts.jsonl"))


@pytest.mark.parametrize("page", FAULTS)
def test_a_fault_rings_once_with_its_page_its_owner_and_a_number(page: str, alerts: LocalAlerts) -> None:
    for _ in range(2):
        FAULTS[page](alerts)
    (alert,) = alerts.open_alerts()
    assert alert.runbook == runbooks.page(page)
    assert alert.owner.startswith("team:")
    assert alert.number != 0
    assert len(Path(alerts.path).read_text().splitlines()) == 1


def test_every_page_has_a_fault_that_is_injected_here() -> None:
    assert sorted(FAULTS) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short_and_says_what_rings_what_it_means_what_to_do_and_how_it_closes(page: str) -> None:
    text = (ROOT / runbooks.page(page)).read_text()
    assert re.findall(r"^\*\*(.+?)[.:]\*\*", text, re.M) == ["Rings", "It means", "Look first", "Do", "It closes"]
    assert len(text.splitlines()) <= 22


def test_every_check_has_a_page_that_is_there_and_its_description_names_it() -> None:
    for spec in CHECKS:
        page = runbooks.of_check(spec.name).page
        assert page != runbooks.INDEX, spec.name
        assert (ROOT / page).is_file(), spec.name
        assert page in (spec.description or ""), spec.name


def test_no_page_speaks_of_a_check_that_is_not_there() -> None:
    assert set(runbooks.BY_CHECK) == {spec.name for spec in CHECKS}


def test_the_check_that_a_page_rings_for_stands_on_it() -> None:
    for check, runbook in runbooks.BY_CHECK.items():
        assert f"`{check}`" in (ROOT / runbook.page).read_text()


@pytest.mark.parametrize("page", ["docs/RUNBOOK.md", "docs/ONCALL.md", *map(runbooks.page, PAGES)])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / runbooks.INDEX).read_text()
    assert [page for page in PAGES if f"(runbooks/{page}.md)" not in index] == []


def test_where_pages_are_read_in_a_browser_descriptions_are_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHING_RUNBOOK_URL", "https://git.example/main/")
    assert runbooks.explained("no_drift", "x").endswith("(https://git.example/main/docs/runbooks/drift.md)")


def test_the_index_says_what_cannot_wait_as_the_operations_page_does() -> None:
    index = (ROOT / runbooks.INDEX).read_text()
    urgent = re.findall(r"\(runbooks/([\w-]+)\.md\) \|[^|]*\| \*\*yes\*\*", index)
    assert {runbooks.page(name) for name in urgent} == runbooks.TONIGHT


def test_every_page_that_the_code_names_is_there() -> None:
    sources = [
        path.read_text()
        for folder in ("sensors", "resources", "matching_assets")
        for path in (ROOT / folder).rglob("*.py")
    ]
    named = {
        name
        for text in sources
        for name in re.findall(r"runbooks\.page\(\"([\w-]+)\"\)|docs/runbooks/([\w-]+)\.md", text)
    }
    assert {one or other for one, other in named} <= set(PAGES)
