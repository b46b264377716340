"""What assets carry for who looks at them at night: when a daily one is late, and which pages its checks name.

The UI shows an asset red when the newest business day's was not made by its deadline (`MATCHING_DEADLINE`, weekdays).
That rings by itself as the alert `landing:missing`; freshness is where it is seen which asset the day has reached.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import dagster as dg

from matching_assets import runbooks
from matching_assets.jobs import INTAKE, MATCHING
from matching_assets.partitions import deadline

DAILY = {*INTAKE, *MATCHING}


def freshness() -> dg.FreshnessPolicy:
    """Made within the day that ends at the deadline, on weekdays. ValueError: MATCHING_DEADLINE is no time."""
    at = deadline()
    return dg.FreshnessPolicy.cron(f"{at.minute} {at.hour} * * 1-5", lower_bound_delta=timedelta(days=1))


def pages_of(checks: Iterable[dg.AssetCheckSpec]) -> Mapping[dg.AssetKey, str]:
    """For each asset its checks, each with its page, as Markdown."""
    found: dict[dg.AssetKey, list[str]] = {}
    for check in sorted(checks, key=lambda check: check.name):
        page = runbooks.link(runbooks.of_check(check.name).page)
        found.setdefault(check.asset_key, []).append(f"- `{check.name}`: {page}")
    return {key: "\n".join(lines) for key, lines in found.items()}


def for_the_night(
    assets: Iterable[dg.AssetsDefinition], checks: Iterable[dg.AssetChecksDefinition]
) -> Sequence[dg.AssetsDefinition]:
    """The assets, with a freshness policy on those of each day and the pages of their checks as metadata."""
    known = list(assets)
    specs = [spec for made in (*known, *checks) for spec in made.check_specs]
    pages, policy = pages_of(specs), freshness()

    def told(spec: dg.AssetSpec) -> dg.AssetSpec:
        if page := pages.get(spec.key):
            spec = spec.merge_attributes(metadata={"runbooks": dg.MetadataValue.md(page)})
        if spec.key.to_user_string() in DAILY:
            spec = dg.apply_freshness_policy(spec, policy)
        return spec

    return [made.map_asset_specs(told) for made in known]
