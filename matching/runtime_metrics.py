"""What is counted about requests and decisions: OpenTelemetry metrics, as Prometheus text or as CloudWatch lines.

Counts, bands, durations and probabilities, and the bundle's version; nothing of a record. Each worker keeps its own
instruments and writes them to a file of a common folder once a second; `merged` adds the files of all workers up, those
of workers that have ended too, so a counter never falls. What a killed worker counted in its last second is lost.

CloudWatch reads metrics from log lines (Embedded Metric Format, version 0.1): one line a second and worker on stdout.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from matching import metric_names as names

DECISIONS = ("match", "review", "no_match")
SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
PROBABILITIES = tuple(i / 20 for i in range(1, 20))
MOST_VALUES = 100  # of one metric in one CloudWatch line
BUSY = ("429", "503")


class Meter:
    """The instruments of one worker. `emf`: where CloudWatch lines go, if they are wanted."""

    def __init__(self, bundle_version: str, folder: Path | None = None, emf: TextIO | None = None) -> None:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
        from prometheus_client import CollectorRegistry

        self.bundle_version = bundle_version
        self._registry, self._folder, self._emf = CollectorRegistry(), folder, emf
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        reader = PrometheusMetricReader(True, scope_info_enabled=False, registry=self._registry)
        self._provider = MeterProvider(metric_readers=[reader], exemplar_filter=AlwaysOffExemplarFilter())
        meter = self._provider.get_meter("matching.runtime")
        self._requests = meter.create_counter("matching_requests", description="Requests by status")
        self._errors = meter.create_counter("matching_errors", description="Requests not answered, by kind")
        self._records = meter.create_counter("matching_records", description="Records decided")
        self._decisions = meter.create_counter("matching_decisions", description="Decisions by band")
        self._degraded = meter.create_counter("matching_degraded", description="Decisions without a component")
        self._faults = meter.create_counter("matching_faults", description="Faults of the encoder, by kind")
        self._dropped = meter.create_counter("matching_telemetry_dropped", description="Telemetry rows not written")
        self._seconds = meter.create_histogram(
            "matching_request_duration", unit="s", description="Time in the worker",
            explicit_bucket_boundaries_advisory=SECONDS,
        )  # fmt: skip
        self._probability = meter.create_histogram(
            "matching_probability", description="Of each decision", explicit_bucket_boundaries_advisory=PROBABILITIES
        )
        self._counted: Counter[tuple[Any, str, str]] = Counter()  # since the last flush: an instrument's add() is slow
        self._lines: dict[str, Any] = _empty()
        self._known: Counter[str] = Counter()

    def answered(self, seconds: float, decisions: pl.DataFrame, bands: Mapping[str, int], degraded: int) -> None:
        """A request that was answered with decisions."""
        self._request("200", seconds)
        self._counted[self._records, "", ""] += decisions.height
        for band, count in bands.items():
            self._counted[self._decisions, "band", band] += count
            self._lines["counts"][names.BANDS[band]] += count
        self._counted[self._degraded, "", ""] += degraded
        self._lines["counts"][names.DEGRADED] += degraded
        self._lines["counts"][names.RECORDS] += decisions.height
        for probability in decisions["probability"].to_list():
            self._probability.record(probability)

    def refused(self, seconds: float, status: int, kind: str) -> None:
        """A request that was not answered. `kind`: a word of ours, never of the request."""
        self._request(str(int(status)), seconds)
        self._counted[self._errors, "kind", kind] += 1
        self._lines["counts"][names.ERRORS] += 1

    def totals(self, faults: Mapping[str, int], dropped: int) -> None:
        """What others count: faults of the encoder by kind, telemetry rows that were dropped; both since the start."""
        for kind, count in {**{f"fault {k}": n for k, n in faults.items()}, "dropped": dropped}.items():
            more = count - self._known[kind]
            self._known[kind] = count
            if more and kind == "dropped":
                self._dropped.add(more)
            elif more:
                self._faults.add(more, {"kind": kind.removeprefix("fault ")})

    def flush(self) -> None:
        """Write this worker's file, and its CloudWatch line when anything happened."""
        counted, self._counted = self._counted, Counter()
        for (instrument, label, value), count in counted.items():
            instrument.add(count, {label: value} if label else {})
        if self._folder is not None:
            from prometheus_client import generate_latest

            # Replaced, but not synced: requests would wait 20 ms for the disk, and a power cut ends the process anyway.
            scratch = self._folder / f".{os.getpid()}.prom"
            scratch.write_bytes(generate_latest(self._registry))
            scratch.replace(self._folder / f"{os.getpid()}.prom")
        if self._emf is not None and self._lines["counts"]:
            self._write_line()

    def _request(self, status: str, seconds: float) -> None:
        self._counted[self._requests, "status", status] += 1
        self._seconds.record(seconds)
        self._lines["counts"][names.REQUESTS] += 1
        self._lines["counts"][names.THROTTLED] += status in BUSY
        self._lines["latency"].append(round(1000 * seconds, 3))
        if self._emf is None:
            self._lines = _empty()
        elif len(self._lines["latency"]) >= MOST_VALUES:
            self._write_line()

    def _write_line(self) -> None:
        said, self._lines = self._lines, _empty()
        units = dict.fromkeys(names.COUNTS, "Count") | {names.LATENCY: "Milliseconds"}
        metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
        where = {name: os.environ[variable] for name, variable in names.DIMENSIONS.items() if variable in os.environ}
        dimensions = [[names.BUNDLE], *([list(where), [*where, names.BUNDLE]] if where else [])]
        about = {"Namespace": names.NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}
        line = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [about]},
            names.BUNDLE: self.bundle_version,
            **where,
            names.LATENCY: said["latency"],
            **{name: said["counts"][name] for name in names.COUNTS},  # zeros too: an alarm takes none for missing
        }
        print(json.dumps(line), file=self._emf, flush=True)


def merged(folder: Path, bundle_version: str) -> bytes:
    """The metrics of all workers added up, and which bundle the one that answers serves."""
    from prometheus_client import generate_latest
    from prometheus_client.parser import text_string_to_metric_families
    from prometheus_client.registry import Collector, CollectorRegistry

    families: dict[str, Any] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for path in sorted(folder.glob("[!.]*.prom")):
        for family in text_string_to_metric_families(path.read_text()):
            families.setdefault(family.name, family)
            totals = sums.setdefault(family.name, {})
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    key = (sample.name, tuple(sample.labels.items()))
                    totals[key] = totals.get(key, 0.0) + sample.value

    class Sums(Collector):
        def collect(self) -> Any:
            from prometheus_client.core import GaugeMetricFamily

            for name, family in families.items():
                family.samples = []
                for (sample, labels), value in sums[name].items():
                    family.add_sample(sample, dict(labels), value)
                yield family
            yield GaugeMetricFamily("matching_workers", "Workers that have counted, ended ones too", _files(folder))
            about = GaugeMetricFamily("matching_bundle_info", "The bundle that serves", labels=["bundle_version"])
            about.add_metric([bundle_version], 1)
            yield about

    registry = CollectorRegistry()
    registry.register(Sums())
    return bytes(generate_latest(registry))


def emf_stream() -> TextIO | None:
    """Where CloudWatch lines go when MATCHING_METRICS asks for them."""
    return sys.stdout if os.environ.get("MATCHING_METRICS") == "emf" else None


def _files(folder: Path) -> int:
    return len(list(folder.glob("[!.]*.prom")))


def _empty() -> dict[str, Any]:
    return {"counts": Counter(), "latency": []}
