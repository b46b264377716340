"""The job that forgets what was replaced; what it forgets is tested with the tables."""

import polars as pl

from matching_assets.jobs import INTAKE


def test_expiring_leaves_what_is_current(new_platform):
    platform = new_platform()
    for names in (["IBM"], ["SAP"]):
        platform.land("records/2026-01-05", pl.DataFrame({"record_id": ["1"], "name": names}))
        assert platform.run("daily_matching", "2026-01-05", INTAKE).success
    result = platform.run("expire", ops={"forget_replaced_versions": {"days": 0}})
    assert result.success
    assert platform.tables.read("clean_records")["name"].to_list() == ["SAP"]
