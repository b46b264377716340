"""A version that is not good enough is stopped on the running platform, and what was good before stays in place."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import polars as pl
import pytest

from matching.bundle import BundleError
from matching.files import folder_digest
from matching_assets.checks.features import features_finite
from matching_assets.checks.governance import bundle_integrity
from matching_assets.checks.serving import every_record_decided, explanation_closure
from matching_assets.folders import facts_in
from matching_assets.release import by_digest, deploy, newest_approved
from resources.registry import NotApprovedError

pytestmark = pytest.mark.slow


@contextmanager
def altered_evaluation(platform, metric: str, value: float) -> Iterator[None]:
    """The stored evaluation with one metric changed, until the block ends; the approval is then made anew."""
    store = platform.resources["store"]
    good = store.get_json("assets/evaluation")
    copy = platform.home / "altered"
    shutil.copytree(platform.folders.read("evaluation"), copy, copy_function=shutil.copyfile)
    facts = json.loads((copy / "facts.json").read_text())
    facts["metrics"][metric] = value
    (copy / "facts.json").write_text(json.dumps(facts))
    store.put_json("assets/evaluation", {**good, "digest": store.put_folder(copy)})
    shutil.rmtree(copy)
    try:
        yield
    finally:
        store.put_json("assets/evaluation", good)
        assert platform.run("retrain", assets=["approval"]).success


def test_a_feature_that_is_not_a_number_stops_the_training(platform):
    pairs = platform.tables.read("pair_features").head(100)
    broken = pairs.with_columns(letters=pl.lit(float("nan"), dtype=pl.Float32))
    assert features_finite(pairs).passed
    assert "Mend letters" in features_finite(broken).description


def test_a_bundle_with_one_altered_byte_fails_its_check(platform, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(platform.folders.read("model_package"), bundle, copy_function=shutil.copyfile)
    bundle.chmod(0o755)
    policy = bundle / "policy.json"
    policy.write_text(policy.read_text().replace('"granted": true', '"granted": True'))
    assert bundle_integrity(platform.folders.read("model_package")).passed
    found = bundle_integrity(bundle)
    assert not found.passed
    assert "policy.json" in found.description


def test_reasons_that_do_not_add_up_are_found(platform, days):
    decisions, reasons = (platform.tables.read(name, days[0]) for name in ("match_decisions", "decision_reasons"))
    first = pl.int_range(pl.len()) == 0
    bent = reasons.with_columns(contribution=pl.when(first).then(9.0).otherwise("contribution"))
    assert explanation_closure(reasons, decisions).passed
    assert not explanation_closure(bent, decisions).passed


def test_a_decision_without_reasons_is_found(platform, days):
    decisions, reasons = (platform.tables.read(name, days[0]) for name in ("match_decisions", "decision_reasons"))
    untold = reasons.filter(pl.col("record_id") != decisions["record_id"][0])
    assert "1 decisions have none" in explanation_closure(untold, decisions).description


def test_a_record_that_was_not_decided_is_found(platform, days):
    decisions, records = (platform.tables.read(name, days[0]) for name in ("match_decisions", "clean_records"))
    assert every_record_decided(decisions, records).passed
    assert not every_record_decided(decisions.tail(-1), records).passed
    assert not every_record_decided(pl.concat([decisions, decisions.head(1)]), records).passed


def test_a_version_that_fails_a_gate_is_rejected_and_not_deployed(platform):
    """The evaluation says that nearly every candidate is missing: the approval says no, and the champion stays."""
    champion = platform.registry.champion()
    with altered_evaluation(platform, "recall@50", 0.1):
        result = platform.run("retrain", assets=["approval"])
        assert [found.check_name for found in result.get_asset_check_evaluations() if not found.passed] == [
            "recall_gate"
        ]
        assert facts_in(platform.folders.read("approval"))["status"] == "Rejected"
        assert platform.registry.get(champion.version).history[-1]["gates"][3]["value"] == 0.1
        with pytest.raises(NotApprovedError, match=r"(?i)0\.1000; at least 0\.85"):
            newest_approved(platform.registry)
        assert not platform.run("promote").success
    assert platform.endpoint.describe("matching").status == "InService"


def test_a_person_who_rejects_a_version_is_not_overruled_by_the_rule(platform):
    package = by_digest(platform.registry, folder_digest(platform.folders.read("model_package")))
    platform.registry.set_status(package.version, "Rejected", by="model-risk")
    try:
        platform.run("retrain", assets=["approval"])
        assert platform.registry.get(package.version).status == "Rejected"
        with pytest.raises(NotApprovedError):
            deploy(platform.registry.get(package.version), platform.resources["store"], platform.endpoint)
    finally:
        platform.registry.set_status(package.version, "Approved", by="rule")


def test_an_altered_bundle_is_not_deployed_although_it_is_approved(platform, tmp_path):
    torn = tmp_path / "torn"
    shutil.copytree(platform.folders.read("model_package"), torn, copy_function=shutil.copyfile)
    (torn / "ranker.ubj").write_bytes(b"torn")
    digest = platform.resources["store"].put_folder(torn)
    package = replace(platform.registry.champion(), bundle_digest=digest, status="Approved")
    with pytest.raises(BundleError, match=r"ranker\.ubj"):
        deploy(package, platform.resources["store"], platform.endpoint)


def test_a_rollback_without_an_earlier_champion_says_so_and_leaves_the_endpoint(platform):
    result = platform.run("rollback", ops={"deployed_endpoint": {"version": "PREVIOUS"}})
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "there is no earlier approved champion" in str(failure.event_specific_data.error)
    assert platform.endpoint.describe("matching").status == "InService"
