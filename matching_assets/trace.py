"""From a decision to what it came from, and back: run, bundle, training, data, labels, verdicts.

Reads tables, the registry and the catalogue of runs; writes nothing. Lines hold ids, numbers and dates, never a name.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from matching.bundle import Manifest, read_manifest
from matching.reasons import title_of
from matching.records import InputError
from matching.verdicts import settle
from matching_assets.landing import DAY
from matching_assets.review.desk import answered
from matching_assets.review.verdicts import Verdicts
from resources.registry import ModelPackage, Registry
from resources.store import MissingError, ObjectStore
from resources.tables import Tables

SHORT = 12
"""Characters of a digest: enough to find it by."""


class Trace:
    """What the platform knows about one record. InputError: it knows nothing; the text says what to do."""

    def __init__(
        self, record_id: str, resources: Mapping[str, Any], verdicts: Verdicts, instance: dg.DagsterInstance
    ) -> None:
        self.record_id, self.instance = record_id, instance
        self._tables: Tables = resources["tables"]
        self._store: ObjectStore = resources["store"]
        self._registry: Registry = resources["registry"]
        self._verdicts = verdicts.read().filter(record_id=record_id)
        self._decisions = self._rows("match_decisions").sort(DAY) if self._tables.exists("match_decisions") else None
        if self._decisions is None or self._decisions.is_empty():
            raise InputError(f"record {record_id} was never decided", remedy=self._remedy())

    def lines(self) -> Iterator[str]:
        """All of it, a decision after the other, then what people said."""
        if self._decisions is not None:
            for decision in self._decisions.iter_rows(named=True):
                yield from self._decision(decision)
        yield from self._people()

    def _remedy(self) -> str:
        """What to do about a record that was not decided: where it stopped, if it came at all."""
        for table, told in (
            ("clean_records", "It was accepted on {}: run `daily_matching` for that day."),
            ("quarantined_records", "It was refused on {}: see the rule in quarantined_records, mend it, deliver it."),
            ("raw_records", "It arrived on {}: run `daily_matching` for that day."),
        ):
            if self._tables.exists(table) and not (found := self._rows(table)).is_empty():
                return told.format(found[DAY].max())
        return "It never arrived under this id: look for it in landing/records, or check the id and --home."

    def _rows(self, table: str) -> pl.DataFrame:
        rows = self._tables.read(table)
        return rows.filter(record_id=self.record_id) if "record_id" in rows.columns else rows.head(0)

    def _decision(self, decision: Mapping[str, Any]) -> Iterator[str]:
        day, version = decision[DAY], decision["bundle_version"]
        yield f"{day}  {decision['decision']}  {decision['reference_id']}, probability {decision['probability']:.3f}"
        strongest = [title_of(r["code"]).lower() for r in decision["reasons"] if r["direction"] != "neutral"][:2]
        yield f"  because     {'; '.join(strongest) or 'no reason was kept'}"
        yield f"  decided by  {self._run('match_decisions', day.isoformat())}"
        raw = self._materialisation("raw_records", day.isoformat())
        source = raw and raw.asset_materialization and raw.asset_materialization.metadata.get("source_sha256")
        yield f"  record from landing/records/{day}, sha256 {str(source.value)[:SHORT] if source else 'unknown'}"
        package = next((p for p in self._registry.list() if p.lineage.get("bundle_version") == version), None)
        if package:
            yield from self._bundle(version, package)
        else:
            yield f"  bundle      {version}, which is not registered"

    def _bundle(self, version: str, package: ModelPackage) -> Iterator[str]:
        last = package.history[-1]
        yield (
            f"  bundle      {version}, registry version {package.version} ({self._registry.stage(package.version)}), "
            f"{last['status']} by {last['by']} at {last['at'][:16]}"
        )
        try:
            manifest: Manifest = read_manifest(self._store.get_folder(package.bundle_digest))
        except MissingError:
            yield f"  made from   unknown: folder {package.bundle_digest[:SHORT]} is no longer stored"
            return
        data, code = manifest.facts["data"], manifest.facts.get("code", {})
        yield f"  made from   {', '.join(f'{name} {digest[:SHORT]}' for name, digest in sorted(data.items()))}"
        yield f"  code        {code.get('commit', 'unknown')[:SHORT]}, stored as {package.bundle_digest[:SHORT]}"
        days = self._tables.read("match_decisions").filter(bundle_version=version).group_by(DAY).len().sort(DAY)
        rest = f"{days[DAY].min()} to {days[DAY].max()}" if days.height > 1 else str(days[DAY].min())
        yield f"  also made   {days['len'].sum():,} decisions on {days.height} days, {rest}"

    def _people(self) -> Iterator[str]:
        for verdict in self._verdicts.sort("decided_at").iter_rows(named=True):
            said = answered(verdict["verdict"], verdict["reference_id"])
            shown = f"shown {verdict['shown_decision']} by {verdict['bundle_version']}"
            yield f"reviewed  {verdict['decided_at']:%Y-%m-%d %H:%M} by {verdict['reviewer']}: {said} ({shown})"
        for outcome in settle(self._verdicts).iter_rows(named=True):
            yield f"review    {outcome['status']}"
        labels = self._rows("labels") if self._tables.exists("labels") else pl.DataFrame()
        for label in labels.iter_rows(named=True):
            says = label["reference_id"] or "no reference is right"
            whose = f"given by {label['reviewer']}" if label.get("reviewer") else "delivered"
            yield f"label     {says}, {whose}; read by {self._run('labels')}"
        if labels.is_empty():
            yield "label     none"

    def _materialisation(self, asset: str, day: str | None = None) -> dg.EventLogRecord | None:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day] if day else None)
        records = self.instance.fetch_materializations(wanted, limit=1).records
        return records[0] if records else None

    def _run(self, asset: str, day: str | None = None) -> str:
        """The run that made an asset, or a day of it, last; and when."""
        found = self._materialisation(asset, day)
        if found is None:
            return "a run that this instance does not know (see --home)"
        return f"run {found.run_id} at {datetime.fromtimestamp(found.timestamp, UTC):%Y-%m-%d %H:%M} UTC"
