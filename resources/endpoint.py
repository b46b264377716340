"""The endpoint: one bundle served over HTTP on the SageMaker container contract (`GET /ping`, `POST /invocations`).

A deployment starts the new bundle beside the old one, waits until it answers with the version it should have, and
only then lets it take over; one that fails leaves the old one serving. What was deployed before is remembered, so that
a rollback needs no other information. Records and decisions travel as JSON Lines, one line a record, in order.
"""

import hashlib
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock

from matching.files import folder_digest, write_json
from resources import aws
from resources.processes import Started, free_port, http, is_running, ping, start, stop
from resources.store import Json, MissingError, S3Store

JSON_LINES = "application/jsonlines"


class EndpointError(RuntimeError):
    """A deployment or a call failed. The text says what answered; the endpoint that served before still serves."""


@dataclass(frozen=True)
class EndpointState:
    """What is served. `version`: the bundle's own. `status`: SageMaker's word, `InService` when it answers."""

    name: str
    url: str
    version: str
    bundle_digest: str
    bundle_path: str
    status: str
    pid: int | None
    deployed_at: str
    lineage: dict[str, str]


class Endpoint(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface."""

    @abstractmethod
    def deploy(self, name: str, bundle_path: Path, version: str, lineage: Mapping[str, str]) -> EndpointState:
        """Serve a bundle under `name`; nothing happens if it is served already. EndpointError: it did not start."""

    @abstractmethod
    def describe(self, name: str) -> EndpointState:
        """What serves under `name`, with its status now. MissingError: nothing was deployed."""

    @abstractmethod
    def invoke(self, name: str, records: Sequence[Json]) -> list[Json]:
        """One decision for each record, in order. EndpointError: refused, with the answer's text. MissingError."""

    @abstractmethod
    def rollback(self, name: str) -> EndpointState:
        """Serve what was served before. MissingError: nothing was. EndpointError: it did not start."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Stop serving, and forget what was deployed. Deleting what is not there does nothing."""


class LocalEndpoint(Endpoint):
    """A process of this machine: `python -m <module> --bundle DIR --host H --port P`, detached from who started it.

    `root` holds `<name>.json` (what serves, what served before, which processes were started) and a log for each start.
    """

    root: str
    module: str = "matching.runtime"
    host: str = "127.0.0.1"
    deadline_seconds: float = 120.0

    def deploy(self, name: str, bundle_path: Path, version: str, lineage: Mapping[str, str]) -> EndpointState:
        """See Endpoint."""
        with self._lock(name):
            book = self._book(name)
            current, digest = book["current"], folder_digest(bundle_path)
            if current and (current["bundle_digest"], current["version"]) == (digest, version) and _alive(current):
                return EndpointState(**current)
            state = self._serve(name, book, bundle_path, version, dict(lineage))
            earlier = [current, *book["previous"]] if current else book["previous"]
            self._switch(name, book, state, earlier)
            return state

    def describe(self, name: str) -> EndpointState:
        """See Endpoint."""
        current = self._book(name)["current"]
        if current is None:
            raise MissingError(f"no endpoint {name} was deployed")
        return replace(EndpointState(**current), status="InService" if _alive(current) else "Failed")

    def invoke(self, name: str, records: Sequence[Json]) -> list[Json]:
        """See Endpoint."""
        import requests

        state = self.describe(name)
        body = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        headers = {"Content-Type": JSON_LINES, "Accept": JSON_LINES}
        try:
            answer = http().post(f"{state.url}/invocations", data=body.encode(), headers=headers, timeout=60)
        except requests.ConnectionError as problem:
            raise EndpointError(f"{name} does not answer at {state.url}: deploy it again") from problem
        if answer.status_code != requests.codes.ok:
            raise EndpointError(f"{name} answered {answer.status_code}: {answer.text[:1000]}")
        return [json.loads(line) for line in answer.content.splitlines() if line.strip()]

    def rollback(self, name: str) -> EndpointState:
        """See Endpoint."""
        with self._lock(name):
            book = self._book(name)
            if not book["previous"]:
                raise MissingError(f"nothing was served under {name} before")
            last, *earlier = book["previous"]
            state = self._serve(name, book, Path(last["bundle_path"]), last["version"], last["lineage"])
            self._switch(name, book, state, earlier)
            return state

    def delete(self, name: str) -> None:
        """See Endpoint."""
        with self._lock(name):
            for started in self._book(name)["started"]:
                stop(Started(*started))
            self._file(name).unlink(missing_ok=True)

    def _serve(self, name: str, book: Json, bundle: Path, version: str, lineage: dict[str, str]) -> EndpointState:
        """Start a process and wait for it; the book knows it at once, so that it can be stopped even if we die."""
        port = free_port(self.host)
        url = f"http://{self.host}:{port}"
        log = Path(self.root) / f"{name}-{port}.log"
        command = [sys.executable, "-m", self.module, "--bundle", str(bundle), "--host", self.host, "--port", str(port)]
        started = start(command, log)
        book["started"].append(list(started))
        write_json(self._file(name), book)
        try:
            self._wait(url, started, version, log)
        except EndpointError:
            stop(started)
            raise
        digest, now = folder_digest(bundle), datetime.now(UTC).isoformat(timespec="seconds")
        return EndpointState(name, url, version, digest, str(bundle), "InService", started.pid, now, lineage)

    def _wait(self, url: str, started: Started, version: str, log: Path) -> None:
        deadline = time.monotonic() + self.deadline_seconds
        while (said := ping(url)) is None:
            if not is_running(started):
                raise EndpointError(f"the process ended before it answered; the reason is in {log}")
            if time.monotonic() > deadline:
                raise EndpointError(f"no answer within {self.deadline_seconds:.0f} s; see {log}")
            time.sleep(0.05)
        if said.get("bundle_version") != version:
            raise EndpointError(f"it serves version {said.get('bundle_version')}, not {version}: the wrong bundle?")

    def _switch(self, name: str, book: Json, state: EndpointState, previous: list[Json]) -> None:
        """Make `state` the one that serves, in one step; then stop all others that were ever started."""
        others = [Started(*started) for started in book["started"] if started[0] != state.pid]
        book = {**book, "current": asdict(state), "previous": previous}
        write_json(self._file(name), book)
        for other in others:
            stop(other)
        write_json(self._file(name), {**book, "started": [s for s in book["started"] if s[0] == state.pid]})

    def _book(self, name: str) -> Json:
        path = self._file(name)
        empty: Json = {"current": None, "previous": [], "started": []}
        return json.loads(path.read_bytes()) if path.exists() else empty

    def _file(self, name: str) -> Path:
        return Path(self.root) / f"{name}.json"

    def _lock(self, name: str) -> FileLock:
        Path(self.root).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self.root) / f".{name}.lock")


class SageMakerEndpoint(Endpoint):
    """A SageMaker endpoint. Model and configuration are named by their content: deployed again, they are the same.

    What was deployed lies in the store, at `endpoints/<name>`. SageMaker keeps the old variant when a new one fails.
    """

    store: dg.ResourceDependency[S3Store]
    image_uri: str
    role_arn: str
    instance_type: str = "ml.m5.large"
    instance_count: int = 1
    region_name: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client of the control plane."""
        return aws.client("sagemaker", self.region_name)

    @property
    def runtime(self) -> Any:
        """The boto3 client that calls endpoints."""
        return aws.client("sagemaker-runtime", self.region_name)

    def deploy(self, name: str, bundle_path: Path, version: str, lineage: Mapping[str, str]) -> EndpointState:
        """See Endpoint."""
        book = self._book(name)
        digest = self.store.put_folder(bundle_path)
        current = book["current"]
        if current and (current["bundle_digest"], current["version"]) == (digest, version):
            return self.describe(name)
        earlier = [current, *book["previous"]] if current else book["previous"]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        uri = self.store.uri(digest)
        state = EndpointState(name, "", version, digest, uri, "Creating", None, now, dict(lineage))
        return self._serve(state, earlier)

    def describe(self, name: str) -> EndpointState:
        """See Endpoint."""
        current = self._book(name)["current"]
        described = self._described(name)
        if current is None or described is None:
            raise MissingError(f"no endpoint {name} was deployed")
        return replace(EndpointState(**current), status=described["EndpointStatus"])

    def invoke(self, name: str, records: Sequence[Json]) -> list[Json]:
        """See Endpoint."""
        from botocore.exceptions import ClientError

        body = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        try:
            answer = self.runtime.invoke_endpoint(
                EndpointName=name, Body=body.encode(), ContentType=JSON_LINES, Accept=JSON_LINES
            )
        except ClientError as problem:
            raise EndpointError(f"{name} refused: {problem.response['Error'].get('Message', '')[:1000]}") from problem
        return [json.loads(line) for line in answer["Body"].read().splitlines() if line.strip()]

    def rollback(self, name: str) -> EndpointState:
        """See Endpoint."""
        previous = self._book(name)["previous"]
        if not previous:
            raise MissingError(f"nothing was served under {name} before")
        return self._serve(EndpointState(**previous[0]), previous[1:])

    def delete(self, name: str) -> None:
        """See Endpoint. Models and configurations stay: they cost nothing and say what was served."""
        if self._described(name):
            self.client.delete_endpoint(EndpointName=name)
        self.store.put_json(f"endpoints/{name}", {"current": None, "previous": []})

    def _serve(self, state: EndpointState, previous: list[Json]) -> EndpointState:
        from botocore.exceptions import WaiterError

        model, configuration = self.requests(state.name, state.bundle_digest)
        self._create(self.client.create_model, model)
        self._create(self.client.create_endpoint_config, configuration)
        config = configuration["EndpointConfigName"]
        described = self._described(state.name)
        if described is None:
            self.client.create_endpoint(EndpointName=state.name, EndpointConfigName=config)
        elif described["EndpointConfigName"] != config:
            self.client.update_endpoint(EndpointName=state.name, EndpointConfigName=config)
        try:
            self.client.get_waiter("endpoint_in_service").wait(EndpointName=state.name)
        except WaiterError as problem:
            raise EndpointError(f"{state.name} did not come into service: {problem}") from problem
        described = self.client.describe_endpoint(EndpointName=state.name)
        if described["EndpointConfigName"] != config:
            raise EndpointError(f"{state.name} went back to {described['EndpointConfigName']}: see CloudWatch")
        tags = [{"Key": f"matching/{key}", "Value": value} for key, value in sorted(state.lineage.items())]
        self.client.add_tags(ResourceArn=described["EndpointArn"], Tags=tags)
        served = replace(state, url=described["EndpointArn"], status=described["EndpointStatus"])
        self.store.put_json(f"endpoints/{state.name}", {"current": asdict(served), "previous": previous})
        return served

    def requests(self, name: str, digest: str) -> tuple[Json, Json]:
        """What is asked of SageMaker to serve a bundle: its model and its endpoint configuration, named by content."""
        source = {"S3Uri": self.store.uri(digest), "S3DataType": "S3Prefix", "CompressionType": "None"}
        container = {"Image": self.image_uri, "ModelDataSource": {"S3DataSource": source}}
        model = {"PrimaryContainer": container, "ExecutionRoleArn": self.role_arn}
        model["ModelName"] = _named(name, model)
        variant = {
            "VariantName": "champion",
            "ModelName": model["ModelName"],
            "InstanceType": self.instance_type,
            "InitialInstanceCount": self.instance_count,
        }
        return model, {"EndpointConfigName": _named(name, variant), "ProductionVariants": [variant]}

    def _create(self, create: Callable[..., Any], request: Json) -> None:
        """Create what is named by its content. That it is there already is fine: then it is the same."""
        from botocore.exceptions import ClientError

        try:
            create(**request)
        except ClientError as problem:
            if "already exist" not in problem.response["Error"]["Message"]:
                raise

    def _described(self, name: str) -> Json | None:
        from botocore.exceptions import ClientError

        try:
            described: Json = self.client.describe_endpoint(EndpointName=name)
        except ClientError as problem:
            if "Could not find" not in problem.response["Error"]["Message"]:
                raise
            return None
        return described

    def _book(self, name: str) -> Json:
        return self.store.get_json(f"endpoints/{name}") or {"current": None, "previous": []}


def _named(name: str, content: Json) -> str:
    """A name that says what is in it: SageMaker allows 63 characters."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{name[:46]}-{digest[:16]}"


def _alive(state: Json) -> bool:
    return bool((ping(state["url"]) or {}).get("bundle_version") == state["version"])
