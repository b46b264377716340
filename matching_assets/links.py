"""From a day's decisions to what they came from, as links of the UI: the run that deployed, and the one that trained.

`matching trace RECORD_ID` goes the same way for one record, in words, and to its label and back.
"""

from typing import Any

import dagster as dg

from matching.bundle import Manifest

REMEMBERED = 50
"""Versions that are looked through for the one that serves."""


def provenance(instance: dg.DagsterInstance, manifest: Manifest) -> dict[str, Any]:
    """Metadata of what a bundle decided: its version, the labels it learnt from, the runs that made and deployed it.

    A closed bundle was made by the run of the one that it closes. What the catalogue does not know is left out.
    """
    versions = {manifest.version, str(manifest.facts.get("parent", ""))}
    runs = {"deployed_in": _run_of(instance, "deployed_endpoint", versions)}
    runs["trained_in"] = _run_of(instance, "model_package", versions)
    links = {name: dg.MetadataValue.dagster_run(run) for name, run in runs.items() if run is not None}
    learnt = manifest.facts.get("data", {}).get("labels")
    labels = {"labels_version": str(learnt)} if learnt else {}
    return {
        "bundle_version": manifest.version,
        "model": dg.MetadataValue.asset(dg.AssetKey("model_package")),
        **labels,
        **links,
    }


def _run_of(instance: dg.DagsterInstance, asset: str, versions: set[str]) -> str | None:
    """The run of the newest materialisation that says that it is of one of these bundles."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset))
    for record in instance.fetch_materializations(wanted, limit=REMEMBERED).records:
        said = record.asset_materialization.metadata.get("bundle_version") if record.asset_materialization else None
        if said is not None and said.value in versions:
            return record.run_id
    return None
