"""What the templates allow and refuse. They were linted and never deployed: that needs an account."""

import ast
import re
from pathlib import Path

import botocore.session
import pytest
from cfnlint.api import lint_file

from resources.pipeline import Pipeline, definition

from .policies import ACCOUNT, AWS, BUCKET, KEY, REGION, Template, is_allowed, listed

CONSUMER, READER = "222222222222", "333333333333"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ENDPOINT = f"{SAGEMAKER}:endpoint/matching"
CONSUMER_STACK = Template("consumer.yaml", ConsumerAccount=CONSUMER, ConsumerName="risk", ExternalId="0123456789abcdef")
PLATFORM = Template("platform.yaml", ReaderAccount=READER)
ROLES = Template(
    "roles.yaml",
    Name="matching",
    BucketArn=BUCKET,
    KeyArn=KEY,
    ServingRepositoryArn="arn:aws:ecr:serving",
    TrainingRepositoryArn="arn:aws:ecr:training",
    AlertTopicArn="arn:aws:sns:alerts",
    DagsterService="ecs-tasks.amazonaws.com",
)
WORKERS = ["TrainingRole", "EndpointRole", "PipelineRole"]
KEPT = f"{BUCKET}/matching"


@pytest.mark.parametrize("template", sorted(AWS.glob("*.yaml")), ids=lambda path: path.name)
def test_a_template_is_what_cloudformation_takes(template: Path) -> None:
    assert [str(found) for found in lint_file(template)] == []


# The consumer


def consumer(action: str, resource: str = ENDPOINT, **context: str) -> bool:
    return is_allowed(CONSUMER_STACK.role_statements("ConsumerRole"), action, resource, context)


def takes_role(account: str, **context: str) -> bool:
    trust = CONSUMER_STACK.properties("ConsumerRole")["AssumeRolePolicyDocument"]["Statement"]
    return is_allowed(trust, "sts:AssumeRole", "*", context, principal=account)


def test_a_consumer_asks_its_endpoint() -> None:
    assert consumer("sagemaker:InvokeEndpoint")


@pytest.mark.parametrize("endpoint", ["matching-2", "matchin", "other", "matching/variant", "*"])
def test_a_consumer_asks_no_other_endpoint(endpoint: str) -> None:
    assert not consumer("sagemaker:InvokeEndpoint", f"{SAGEMAKER}:endpoint/{endpoint}")


def test_a_consumer_asks_only_over_tls() -> None:
    assert not consumer("sagemaker:InvokeEndpoint", **{"aws:SecureTransport": "false"})


@pytest.mark.parametrize("service", ["sagemaker", "sagemaker-runtime", "s3", "kms", "sts", "iam"])
def test_of_all_that_the_services_offer_a_consumer_may_do_one_thing(service: str) -> None:
    prefix = service.partition("-")[0]
    operations = botocore.session.get_session().get_service_model(service).operation_names
    allowed = [o for o in operations for r in (ENDPOINT, KEY, f"{KEPT}/x", "*") if consumer(f"{prefix}:{o}", r)]

    assert allowed == (["InvokeEndpoint"] if service == "sagemaker-runtime" else [])


def test_a_role_is_taken_with_its_external_id() -> None:
    assert takes_role(CONSUMER, **{"sts:ExternalId": "0123456789abcdef"})


@pytest.mark.parametrize("given", [{}, {"sts:ExternalId": "another"}, {"sts:ExternalId": ""}])
def test_a_role_is_not_taken_without_it(given: dict[str, str]) -> None:
    assert not takes_role(CONSUMER, **given)


def test_a_role_is_not_taken_by_somebody_else() -> None:
    assert not takes_role(READER, **{"sts:ExternalId": "0123456789abcdef"})


# The bucket, the key and the group


def bucket(principal: str, action: str, resource: str, **context: str) -> bool:
    """What the bucket's policy says to another account, which is allowed nothing unless it says so."""
    policy = PLATFORM.properties("BucketPolicy")["PolicyDocument"]["Statement"]
    return is_allowed(policy, action, resource, context, principal)


def is_denied(action: str, resource: str, **context: str) -> bool:
    """Whether the bucket's policy refuses what a role of the account is otherwise allowed."""
    policy = PLATFORM.properties("BucketPolicy")["PolicyDocument"]["Statement"]
    everything = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    return not is_allowed([everything, *policy], action, resource, context, principal=ACCOUNT)


def test_nobody_reads_or_writes_without_tls() -> None:
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"):
        assert is_denied(action, f"{KEPT}/x" if "Object" in action else BUCKET, **{"aws:SecureTransport": "false"})
        assert not is_denied(action, f"{KEPT}/x" if "Object" in action else BUCKET)


def test_nothing_is_stored_under_another_key() -> None:
    key = "s3:x-amz-server-side-encryption-aws-kms-key-id"

    assert is_denied("s3:PutObject", f"{KEPT}/x", **{key: "arn:aws:kms:eu-west-1:999999999999:key/theirs"})
    assert is_denied("s3:PutObject", f"{KEPT}/x", **{"s3:x-amz-server-side-encryption": "AES256"})
    assert not is_denied("s3:PutObject", f"{KEPT}/x", **{key: KEY, "s3:x-amz-server-side-encryption": "aws:kms"})


def test_the_reader_reads_bundles_and_nothing_else() -> None:
    assert bucket(READER, "s3:GetObject", f"{KEPT}/sha256/abc/manifest.json")
    for below in ("landing/records/x.csv", "registry/champion.json", "telemetry/x", "training/j/output/model/x"):
        assert not bucket(READER, "s3:GetObject", f"{KEPT}/{below}")
    assert not bucket(READER, "s3:PutObject", f"{KEPT}/sha256/abc/manifest.json")
    assert not bucket(CONSUMER, "s3:GetObject", f"{KEPT}/sha256/abc/manifest.json")


def test_the_reader_lists_bundles_and_nothing_else() -> None:
    assert bucket(READER, "s3:ListBucket", BUCKET, **{"s3:prefix": "matching/sha256/abc"})
    assert not bucket(READER, "s3:ListBucket", BUCKET, **{"s3:prefix": "matching/landing/"})
    assert not bucket(READER, "s3:ListBucket", BUCKET)


def test_the_reader_decrypts_only_through_s3() -> None:
    policy = PLATFORM.properties("Key")["KeyPolicy"]["Statement"]

    def may(action: str, **context: str) -> bool:
        return is_allowed(policy, action, KEY, context, principal=READER)

    assert may("kms:Decrypt", **{"kms:ViaService": f"s3.{REGION}.amazonaws.com"})
    assert not may("kms:Decrypt")
    assert not may("kms:Encrypt", **{"kms:ViaService": f"s3.{REGION}.amazonaws.com"})


def test_the_reader_reads_versions_and_decides_nothing() -> None:
    policy = PLATFORM.properties("PackageGroup")["ModelPackageGroupPolicy"]["Statement"]
    version = f"{SAGEMAKER}:model-package/matching/3"

    assert is_allowed(policy, "sagemaker:DescribeModelPackage", version, principal=READER)
    assert not is_allowed(policy, "sagemaker:UpdateModelPackage", version, principal=READER)
    assert not is_allowed(policy, "sagemaker:DescribeModelPackage", version, principal=CONSUMER)


def test_what_a_registered_package_points_at_never_expires() -> None:
    rules = PLATFORM.properties("Bucket")["LifecycleConfiguration"]["Rules"]
    expired = [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule]

    assert sorted(expired) == ["matching/capture/", "matching/training/", "matching/transform/"]
    of = Pipeline(BUCKET.rpartition(":")[2], "role", "training", "serving")
    written = re.findall(r"s3://[^\"']+", str(definition(of)["Steps"]))
    assert written
    assert not any(f"/{prefix}" in uri for uri in written for prefix in expired)


def test_without_a_reader_no_other_account_is_named() -> None:
    alone = Template("platform.yaml")

    for resource in ("BucketPolicy", "Key", "PackageGroup", "ServingRepository"):
        accounts = set(re.findall(r"iam::(\d+):", str(alone.properties(resource))))
        assert accounts <= {ACCOUNT}


# The roles


def may(role: str, action: str, resource: str, **context: str) -> bool:
    return is_allowed(ROLES.role_statements(role), action, resource, context)


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("TrainingRole", {"sha256"}, {"training"}),
        ("EndpointRole", {"sha256", "pipeline/bundles"}, {"transform", "capture"}),
        (
            "PipelineRole",
            {"landing", "pipeline/bundles", "pipeline/e/Prepare"},
            {"pipeline/bundles", "pipeline/e/Prepare"},
        ),
    ],
)
def test_a_worker_reads_and_writes_only_its_own(role: str, reads: set[str], writes: set[str]) -> None:
    folders = {"sha256", "landing", "training", "transform", "capture", "pipeline/bundles", "pipeline/e/Prepare"}
    folders |= {"registry", "telemetry", "assets", "endpoints"}

    assert {folder for folder in folders if may(role, "s3:GetObject", f"{KEPT}/{folder}/x")} == reads
    assert {folder for folder in folders if may(role, "s3:PutObject", f"{KEPT}/{folder}/x")} == writes
    assert not any(may(role, "s3:DeleteObject", f"{KEPT}/{folder}/x") for folder in folders)


@pytest.mark.parametrize("role", WORKERS)
@pytest.mark.parametrize("action", ["UpdateEndpoint", "CreateEndpoint", "UpdateModelPackage", "InvokeEndpoint"])
def test_no_worker_deploys_approves_or_asks(role: str, action: str) -> None:
    assert not any(may(role, f"sagemaker:{action}", f"{SAGEMAKER}:{kind}/matching") for kind in ("endpoint", "model"))


def test_roles_are_taken_by_sagemaker_for_this_account_only() -> None:
    for role in WORKERS:
        trust = ROLES.properties(role)["AssumeRolePolicyDocument"]["Statement"]
        own, other = ({"aws:SourceAccount": account} for account in (ACCOUNT, CONSUMER))
        assert is_allowed(trust, "sts:AssumeRole", "*", own, principal="sagemaker.amazonaws.com")
        assert not is_allowed(trust, "sts:AssumeRole", "*", other, principal="sagemaker.amazonaws.com")
        assert not is_allowed(trust, "sts:AssumeRole", "*", own, principal="lambda.amazonaws.com")


def test_dagster_hands_out_two_roles_and_only_to_sagemaker() -> None:
    def hands(role: str, service: str) -> bool:
        arn = f"arn:aws:iam::{ACCOUNT}:role/matching-{role}"
        return may("DagsterRole", "iam:PassRole", arn, **{"iam:PassedToService": service})

    roles = ("training", "endpoint", "pipeline", "dagster", "admin")
    assert [role for role in roles if hands(role, "sagemaker.amazonaws.com")] == ["training", "endpoint"]
    assert not any(hands(role, "lambda.amazonaws.com") for role in roles)


def test_dagster_touches_nothing_of_other_teams() -> None:
    for kind in ("endpoint", "model", "training-job", "model-package-group"):
        assert not may("DagsterRole", "sagemaker:DeleteEndpoint", f"{SAGEMAKER}:{kind}/pricing")
    assert not may("DagsterRole", "s3:GetObject", "arn:aws:s3:::another/x")


def calls() -> set[str]:
    """The operations of SageMaker that resources/ calls, but for those that a person makes once."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    operations = {botocore.xform_name(name): name for name in model.operation_names}
    found = {
        f"{verb}{job}" for job in ("TrainingJob", "ProcessingJob", "TransformJob") for verb in ("Create", "Describe")
    }
    for path in sorted((AWS.parents[1] / "resources").glob("*.py")):
        if path.name not in ("pipeline.py", "model_monitor.py"):
            names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
            found |= {operations[name] for name in names & operations.keys() if "_" in name}
    return found


@pytest.mark.parametrize("call", sorted(calls()))
def test_dagster_may_make_every_call_that_the_code_makes(call: str) -> None:
    assert may("DagsterRole", f"sagemaker:{call}", f"{SAGEMAKER}:thing/matching-1") or may(
        "DagsterRole", f"sagemaker:{call}", "*"
    )


def test_what_is_allowed_on_everything_cannot_be_narrowed() -> None:
    everywhere = {
        action
        for role in (*WORKERS, "DagsterRole")
        for statement in ROLES.role_statements(role)
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }

    assert everywhere == {
        "ecr:GetAuthorizationToken",
        "cloudwatch:PutMetricData",
        "sagemaker:ListModelPackageGroups",
        "sagemaker:ListModelPackages",
    }


def test_an_operator_that_is_not_known_is_never_passed_over() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:now": "x"}}}

    with pytest.raises(ValueError, match="DateLessThan"):
        is_allowed([statement], "s3:GetObject", "*")
