"""From a decision to what it came from, and back: run, file, bundle, training, data, labels, verdicts.

Reads tables, the registry and the catalogue of runs; writes nothing. Lines hold ids, numbers and dates, never a name.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import dagster as dg
import polars as pl

from matching.bundle import Manifest, read_manifest
from matching.reasons import title_of
from matching.records import InputError, content_hash
from matching.rescoring import WHY
from matching.verdicts import settle
from matching_assets.closing import why_closed
from matching_assets.landing import DAY
from matching_assets.review.desk import answered
from matching_assets.review.verdicts import Verdicts
from resources.registry import CLOSES, ModelPackage, Registry
from resources.store import MissingError, ObjectStore
from resources.tables import Tables

SHORT = 12
"""Characters of a digest: enough to find it by."""
UNKNOWN = "a run that this instance does not know"
STOPPED = {
    "clean_records": "It was accepted on {}: launch `daily_matching` for that day.",
    "quarantined_records": "It was refused on {}: mend it by the reason in quarantined_records, and deliver it again.",
    "raw_records": "It arrived on {}: launch `daily_matching` for that day.",
}
"""What to do about a record that was not decided, by the last table that knows it."""


class Trace:
    """What the platform knows about one record. InputError: it was never decided; the text says what to do."""

    def __init__(
        self, record_id: str, resources: Mapping[str, Any], verdicts: Verdicts, instance: dg.DagsterInstance
    ) -> None:
        self.record_id, self.instance = record_id, instance
        self._tables: Tables = resources["tables"]
        self._store: ObjectStore = resources["store"]
        self._registry: Registry = resources["registry"]
        self._verdicts = verdicts.read().filter(record_id=record_id).sort("decided_at")
        self._decisions = self._rows("match_decisions")
        if self._decisions.is_empty():
            raise InputError(f"record {record_id} was never decided", remedy=self._remedy())

    def lines(self) -> Iterator[str]:
        """Its decisions, the bundles that took them, and what people said."""
        for decision in self._decisions.sort(DAY).iter_rows(named=True):
            yield from self._decision(decision)
        yield from self._rescored()
        for version in self._decisions["bundle_version"].unique(maintain_order=True):
            yield from self._bundle(version)
        yield from self._people()

    def _decision(self, decision: Mapping[str, Any]) -> Iterator[str]:
        day = decision[DAY].isoformat()
        named = decision["reference_id"] or "no candidate"
        strongest = [title_of(r["code"]).lower() for r in decision["reasons"] if r["direction"] != "neutral"][:2]
        source = _value(self._made("raw_records", day), "source_sha256")
        yield f"{day}  {decision['decision']}: {named}, probability {decision['probability']:.3f}"
        yield f"  because    {'; '.join(strongest) or 'no reason was kept'}"
        yield f"  decided    by bundle {decision['bundle_version']}, in {_run(self._made('match_decisions', day))}"
        yield f"  arrived    in landing/records/{day}, sha256 {str(source or 'unknown')[:SHORT]}"

    def _rescored(self) -> Iterator[str]:
        """What other bundles would have decided, where somebody asked."""
        why = {row[DAY]: WHY[row["why"]] for row in self._rows("decision_diff").iter_rows(named=True)}
        for again in self._rows("rescored_decisions").sort(DAY).iter_rows(named=True):
            day, named = again[DAY].isoformat(), again["reference_id"] or "no candidate"
            said = f"{again['decision']}: {named}, probability {again['probability']:.3f}"
            yield f"{day}  scored again by bundle {again['bundle_version']}, beside the decision, which stands: {said}"
            yield f"  otherwise  {why.get(again[DAY], 'in nothing')}"

    def _bundle(self, version: str) -> Iterator[str]:
        package = next((p for p in self._registry.list() if p.lineage.get("bundle_version") == version), None)
        if package is None:
            yield f"bundle {version}, which this registry does not know"
            return
        last, manifest = package.history[-1], self._manifest(package)
        yield f"bundle {version}, registry version {package.version} ({self._registry.stage(package.version)})"
        yield f"  {last['status'].lower():<10} by {last['by']} at {last['at'][:16].replace('T', ' ')} UTC"
        if why := why_closed(package):
            yield f"  closed     so it matches nothing: {why}"
            yield f"  otherwise  as the bundle stored as {package.lineage[CLOSES][:SHORT]}"
        yield f"  stored     as {package.bundle_digest[:SHORT]}"
        maker = "deployed_endpoint" if CLOSES in package.lineage else "model_package"
        yield f"  registered in {_run(self._made(maker, bundle_version=version))}"
        if manifest:
            data = ", ".join(f"{name} {digest[:SHORT]}" for name, digest in sorted(manifest.facts["data"].items()))
            yield f"  learnt     from {data}; code {manifest.facts['code'].get('commit', 'unknown')[:SHORT]}"
        days = self._all_decisions.filter(bundle_version=version)[DAY]
        yield f"  decided    {len(days):,} records on {days.n_unique()} days, {days.min()} to {days.max()}"

    def _people(self) -> Iterator[str]:
        for verdict in self._verdicts.iter_rows(named=True):
            said = answered(verdict["verdict"], verdict["reference_id"])
            shown = f"shown was {verdict['shown_decision']} by bundle {verdict['bundle_version']}"
            yield f"verdict by {verdict['reviewer']} at {verdict['decided_at']:%Y-%m-%d %H:%M} UTC: {said} ({shown})"
        for outcome in settle(self._verdicts).iter_rows(named=True):
            yield f"review {outcome['status']}"
        label = self._rows("labels")
        if label.is_empty():
            yield "no label"
            return
        says, whose = label["reference_id"].item() or "no reference is right", "as delivered"
        if "reviewer" in label.columns and label["reviewer"].item():
            whose = f"by {label['reviewer'].item()} at {label['decided_at'].item()[:16]} UTC"
        version = content_hash(self._tables.read("labels"))
        manifests = [(package, self._manifest(package)) for package in self._registry.list()]
        learnt = [str(p.version) for p, m in manifests if m and m.facts["data"]["labels"] == version]
        yield f"label {says}, {whose}"
        yield f"  read       as labels {version[:SHORT]}, in {_run(self._made('labels'))}"
        by = f"registry version {', '.join(learnt)}" if learnt else "no version yet: launch `retrain`"
        yield f"  learnt by  {by}"

    @cached_property
    def _all_decisions(self) -> pl.DataFrame:
        return self._tables.read("match_decisions").select(DAY, "record_id", "bundle_version")

    def _rows(self, table: str) -> pl.DataFrame:
        """The rows of this record; none where there is no such table yet."""
        none = pl.DataFrame(schema={"record_id": pl.String, DAY: pl.Date})
        rows = self._tables.read(table) if self._tables.exists(table) else none
        return rows.filter(record_id=self.record_id)

    def _remedy(self) -> str:
        for table, told in STOPPED.items():
            if (found := self._rows(table)).height:
                return told.format(found[DAY].max())
        return "It never arrived under this id: look for it in landing/records, or check the id and --home."

    def _manifest(self, package: ModelPackage) -> Manifest | None:
        try:
            return read_manifest(self._store.get_folder(package.bundle_digest))
        except MissingError:
            return None

    def _made(self, asset: str, day: str | None = None, **facts: str) -> dg.EventLogRecord | None:
        """The newest materialisation of an asset, of a day of it, or one with these facts, of those that are known."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day] if day else None)
        records = self.instance.fetch_materializations(wanted, limit=1000 if facts else 1).records
        return next((r for r in records if all(_value(r, key) == value for key, value in facts.items())), None)


def _run(made: dg.EventLogRecord | None) -> str:
    """The run of a materialisation, and when it was."""
    if made is None:
        return UNKNOWN
    return f"run {made.run_id} at {datetime.fromtimestamp(made.timestamp, UTC):%Y-%m-%d %H:%M} UTC"


def _value(made: dg.EventLogRecord | None, key: str) -> Any:
    """A metadata value of a materialisation, None when it has none."""
    found = made.asset_materialization.metadata.get(key) if made and made.asset_materialization else None
    return found.value if found else None
