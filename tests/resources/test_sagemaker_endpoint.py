"""The SageMaker endpoint's requests, checked against botocore's own model of them; the object store is moto.

moto has no `update_endpoint` and answers for endpoints that do not exist, so what it says about them proves nothing.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from matching.files import folder_digest
from resources.endpoint import EndpointError, SageMakerEndpoint
from resources.store import MissingError, S3Store

NAME, IMAGE = "matching", "123456789012.dkr.ecr.us-east-1.amazonaws.com/matching:1"
ROLE = "arn:aws:iam::123456789012:role/matching"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/matching"
NOT_FOUND = {"service_error_code": "ValidationException", "service_message": 'Could not find endpoint "matching".'}
EXISTS = {"service_error_code": "ValidationException", "service_message": "Cannot create already existing model."}


@pytest.fixture
def endpoint(s3_store: S3Store) -> SageMakerEndpoint:
    return SageMakerEndpoint(store=s3_store, image_uri=IMAGE, role_arn=ROLE, region_name="us-east-1")


@pytest.fixture
def stub(endpoint: SageMakerEndpoint) -> Iterator[Stubber]:
    """Answers the calls that are expected, in their order; another one fails, and so does one that does not come."""
    with Stubber(endpoint.client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def described(config: str, status: str = "InService") -> dict[str, object]:
    times = {"CreationTime": 0, "LastModifiedTime": 0}
    return {"EndpointName": NAME, "EndpointArn": ARN, "EndpointConfigName": config, "EndpointStatus": status, **times}


def names(endpoint: SageMakerEndpoint, digest: str) -> tuple[str, str]:
    model, configuration = endpoint.requests(NAME, digest)
    return model["ModelName"], configuration["EndpointConfigName"]


def expect_deployment(stub: Stubber, folder: Path, config: str, model: str, first: bool = True) -> None:
    source = {
        "S3Uri": f"s3://matching-test/matching/sha256/{folder_digest(folder)}/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    stub.add_response(
        "create_model",
        {"ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m"},
        {
            "ModelName": model,
            "PrimaryContainer": {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}},
            "ExecutionRoleArn": ROLE,
        },
    )
    variant = {"VariantName": "champion", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    stub.add_response(
        "create_endpoint_config",
        {"EndpointConfigArn": ARN.replace("endpoint/", "endpoint-config/")},
        {"EndpointConfigName": config, "ProductionVariants": [variant]},
    )
    request = {"EndpointName": NAME, "EndpointConfigName": config}
    if first:
        stub.add_client_error("describe_endpoint", **NOT_FOUND)
        stub.add_response("create_endpoint", {"EndpointArn": ARN}, request)
    else:
        stub.add_response("describe_endpoint", described("another-config"))
        stub.add_response("update_endpoint", {"EndpointArn": ARN}, request)


def expect_service(stub: Stubber, config: str, lineage: dict[str, str]) -> None:
    stub.add_response("describe_endpoint", described(config), {"EndpointName": NAME})
    stub.add_response("describe_endpoint", described(config), {"EndpointName": NAME})
    tags = [{"Key": f"matching/{key}", "Value": value} for key, value in sorted(lineage.items())]
    stub.add_response("add_tags", {"Tags": tags}, {"ResourceArn": ARN, "Tags": tags})


def deploy(endpoint: SageMakerEndpoint, stub: Stubber, folder: Path, version: str, first: bool = True) -> str:
    """Deploy a bundle and return the name of its configuration."""
    model, config = names(endpoint, folder_digest(folder))
    expect_deployment(stub, folder, config, model, first)
    expect_service(stub, config, {"run_id": version})
    endpoint.deploy(NAME, folder, version, {"run_id": version})
    return config


def test_a_first_deployment_creates_model_configuration_and_endpoint(
    endpoint: SageMakerEndpoint, stub: Stubber, folder: Path
) -> None:
    config = deploy(endpoint, stub, folder, "v1")
    stub.add_response("describe_endpoint", described(config))

    state = endpoint.describe(NAME)
    assert (state.url, state.version, state.bundle_digest) == (ARN, "v1", folder_digest(folder))
    assert endpoint.store.exists(state.bundle_digest)


def test_a_later_deployment_updates_the_endpoint(endpoint: SageMakerEndpoint, stub: Stubber, folder: Path) -> None:
    first = deploy(endpoint, stub, folder, "v1")
    (folder / "manifest.json").write_text('{"version": 2}')

    assert deploy(endpoint, stub, folder, "v2", first=False) != first


def test_names_are_made_of_content_and_fit(endpoint: SageMakerEndpoint, folder: Path) -> None:
    digest = folder_digest(folder)

    assert names(endpoint, digest) == names(endpoint, digest)
    assert names(endpoint, digest) != names(endpoint, "0" * 64)
    assert all(len(name) <= 63 for name in names(endpoint, digest))


def test_a_model_that_is_there_already_is_used(endpoint: SageMakerEndpoint, stub: Stubber, folder: Path) -> None:
    stub.add_client_error("create_model", **EXISTS)
    stub.add_client_error("create_endpoint_config", **EXISTS)
    stub.add_client_error("describe_endpoint", **NOT_FOUND)
    stub.add_response("create_endpoint", {"EndpointArn": ARN}, {"EndpointName": NAME, "EndpointConfigName": ANY})
    _, config = names(endpoint, folder_digest(folder))
    expect_service(stub, config, {})

    assert endpoint.deploy(NAME, folder, "v1", {}).status == "InService"


def test_an_endpoint_that_sagemaker_put_back_is_an_error_and_what_serves_stays_noted(
    endpoint: SageMakerEndpoint, stub: Stubber, folder: Path
) -> None:
    first = deploy(endpoint, stub, folder, "v1")
    (folder / "manifest.json").write_text('{"version": 2}')
    model, config = names(endpoint, folder_digest(folder))
    expect_deployment(stub, folder, config, model, first=False)
    stub.add_response("describe_endpoint", described(first))
    stub.add_response("describe_endpoint", described(first))

    with pytest.raises(EndpointError, match=f"went back to {first}"):
        endpoint.deploy(NAME, folder, "v2", {})
    stub.add_response("describe_endpoint", described(first))
    assert endpoint.describe(NAME).version == "v1"


def test_an_endpoint_that_fails_to_start_is_an_error(endpoint: SageMakerEndpoint, stub: Stubber, folder: Path) -> None:
    model, config = names(endpoint, folder_digest(folder))
    expect_deployment(stub, folder, config, model)
    stub.add_response("describe_endpoint", described(config, status="Failed"))

    with pytest.raises(EndpointError, match="did not come into service"):
        endpoint.deploy(NAME, folder, "v1", {})


def test_a_rollback_updates_to_the_configuration_before(
    endpoint: SageMakerEndpoint, stub: Stubber, folder: Path
) -> None:
    first = deploy(endpoint, stub, folder, "v1")
    digest = folder_digest(folder)
    (folder / "manifest.json").write_text('{"version": 2}')
    deploy(endpoint, stub, folder, "v2", first=False)
    (folder / "manifest.json").write_text("{}")
    model, config = names(endpoint, digest)
    expect_deployment(stub, folder, config, model, first=False)
    expect_service(stub, config, {"run_id": "v1"})

    assert endpoint.rollback(NAME).version == "v1"
    assert config == first


def test_what_was_never_deployed_is_missing(endpoint: SageMakerEndpoint, stub: Stubber) -> None:
    stub.add_client_error("describe_endpoint", **NOT_FOUND)

    with pytest.raises(MissingError, match="no endpoint matching was deployed"):
        endpoint.describe(NAME)
    with pytest.raises(MissingError, match="nothing was served"):
        endpoint.rollback(NAME)


def test_a_deleted_endpoint_is_gone(endpoint: SageMakerEndpoint, stub: Stubber, folder: Path) -> None:
    config = deploy(endpoint, stub, folder, "v1")
    stub.add_response("describe_endpoint", described(config))
    stub.add_response("delete_endpoint", {}, {"EndpointName": NAME})
    stub.add_client_error("describe_endpoint", **NOT_FOUND)

    endpoint.delete(NAME)
    with pytest.raises(MissingError):
        endpoint.describe(NAME)


def test_records_travel_as_json_lines(endpoint: SageMakerEndpoint) -> None:
    body = b'{"record_id": "a", "decision": "match"}\n{"record_id": "b", "decision": "review"}\n'
    request = {
        "EndpointName": NAME,
        "Body": '{"record_id": "a", "name": "Société"}\n{"record_id": "b", "name": "B"}\n'.encode(),
        "ContentType": "application/jsonlines",
        "Accept": "application/jsonlines",
    }
    with Stubber(endpoint.runtime) as stub:
        stub.add_response("invoke_endpoint", {"Body": StreamingBody(io.BytesIO(body), len(body))}, request)
        answers = endpoint.invoke(NAME, [{"record_id": "a", "name": "Société"}, {"record_id": "b", "name": "B"}])

    assert answers == [json.loads(line) for line in body.splitlines()]


def test_a_refused_request_carries_the_containers_answer(endpoint: SageMakerEndpoint) -> None:
    with Stubber(endpoint.runtime) as stub:
        stub.add_client_error("invoke_endpoint", "ModelError", 'Received client error (422): {"field": "name"}', 424)
        with pytest.raises(EndpointError, match=r'\{"field": "name"\}'):
            endpoint.invoke(NAME, [{"record_id": "a"}])
