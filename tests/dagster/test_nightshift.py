"""What assets carry for who looks at them at night."""

from datetime import timedelta

import dagster as dg
import pytest

from matching_assets.definitions import defs
from matching_assets.jobs import INTAKE, MATCHING
from matching_assets.nightshift import freshness

GRAPH = defs.resolve_asset_graph()
NODES = {key.to_user_string(): GRAPH.get(key) for key in GRAPH.get_all_asset_keys()}


def test_every_asset_of_the_daily_job_is_late_after_the_deadline_and_no_other_is():
    late = {name for name, node in NODES.items() if node.freshness_policy is not None}
    assert late == {*INTAKE, *MATCHING}


def test_the_deadline_is_a_setting_and_is_asked_for_on_weekdays(monkeypatch):
    monkeypatch.setenv("MATCHING_DEADLINE", "07:30")
    policy = freshness()
    assert (policy.deadline_cron, policy.lower_bound_delta) == ("30 7 * * 1-5", timedelta(days=1))
    monkeypatch.setenv("MATCHING_DEADLINE", "noon")
    with pytest.raises(ValueError, match="noon"):
        freshness()


def test_an_asset_leads_to_the_pages_of_its_checks():
    said = NODES["clean_records"].metadata["runbooks"]
    assert isinstance(said, dg.MarkdownMetadataValue)
    assert "`guardrails_share`: docs/runbooks/delivery-broken.md" in said.value


def test_a_days_decisions_lead_to_the_runs_that_trained_and_deployed_and_to_their_labels(platform, days):
    said = platform.materialisation("match_decisions", days[0]).metadata
    jobs = {name: platform.instance.get_run_by_id(said[name].value).job_name for name in ("trained_in", "deployed_in")}
    assert jobs["trained_in"] == "retrain"
    assert jobs["deployed_in"] in ("promote", "rollback")  # other tests may have brought the version back
    assert said["model"].value == dg.AssetKey("model_package")
    assert said["labels_version"].value == platform.materialisation("labels").tags["dagster/data_version"]
