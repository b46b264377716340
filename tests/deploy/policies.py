"""What a policy means: CloudFormation's intrinsics resolved, and IAM's rule for one request.

The rule is AWS's ("Policy evaluation logic" in the IAM user guide), as far as these templates use it: a statement that
denies wins, without one that allows nothing is allowed. An operator that is not known here is an error, so that a
condition can never be passed over. moto evaluates neither conditions nor trust policies nor resource policies.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load

AWS = Path(__file__).parents[2] / "deploy" / "aws"
ACCOUNT, REGION = "111111111111", "eu-west-1"
PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::Region": REGION}
LEFT_OUT = object()
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
BUCKET = f"arn:aws:s3:::matching-{ACCOUNT}-{REGION}"
KNOWN_ARNS = {"Bucket": BUCKET, "Key": KEY}


class Template:
    """A template with its parameters filled in."""

    def __init__(self, name: str, **parameters: str) -> None:
        self.source = load(str(AWS / name))
        declared = self.source.get("Parameters", {})
        self.parameters = {key: value.get("Default") for key, value in declared.items()} | parameters | PSEUDO

    def properties(self, resource: str) -> dict[str, Any]:
        return self._resolve(self.source["Resources"][resource]["Properties"])

    def role_statements(self, role: str) -> list[dict[str, Any]]:
        """Everything that a role is allowed, by its own policies and the managed ones."""
        own = self.properties(role)
        found = [statement for policy in own["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
        for managed in own.get("ManagedPolicyArns", []):
            found += self.properties(managed.rpartition("/")[2])["PolicyDocument"]["Statement"]
        return found

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name == "Ref":
                    return LEFT_OUT if argument == "AWS::NoValue" else self._reference(argument)
                if name == "Fn::GetAtt":
                    parts = argument.split(".") if isinstance(argument, str) else argument
                    return self._attribute(*parts)
                if name == "Fn::Sub":
                    return re.sub(r"\$\{([^}]+)\}", lambda found: self._reference(found[1]), argument)
                if name == "Fn::If":
                    condition, yes, no = argument
                    return self._resolve(yes if self._holds(self.source["Conditions"][condition]) else no)
            resolved = {key: self._resolve(inner) for key, inner in value.items()}
            return {key: inner for key, inner in resolved.items() if inner is not LEFT_OUT}
        if isinstance(value, list):
            return [inner for inner in map(self._resolve, value) if inner is not LEFT_OUT]
        return value

    def _reference(self, name: str) -> str:
        if name in self.parameters:
            return str(self.parameters[name])
        resource, dot, attribute = name.partition(".")
        return self._attribute(resource, attribute) if dot else f"ref/{name}"

    def _attribute(self, resource: str, attribute: str) -> str:
        if attribute == "Arn" and self.source["Resources"][resource]["Type"] == "AWS::IAM::Role":
            return f"arn:aws:iam::{ACCOUNT}:role/{self.properties(resource)['RoleName']}"
        return KNOWN_ARNS.get(resource, f"arn:aws:{resource}")

    def _holds(self, condition: Any) -> bool:
        ((name, arguments),) = condition.items()
        if name == "Fn::Not":
            return not self._holds(arguments[0])
        assert name == "Fn::Equals"
        left, right = map(self._resolve, arguments)
        return left == right


def is_allowed(
    statements: Sequence[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
    principal: str | None = None,
) -> bool:
    """Whether these statements allow the request. `principal`: an account or a service, for policies that name one."""
    request = {"aws:SecureTransport": "true", **(context or {})}
    effects = {s["Effect"] for s in statements if _is_about(s, action, resource, principal) and _holds(s, request)}
    return "Allow" in effects and "Deny" not in effects


def listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


def _is_about(statement: Mapping[str, Any], action: str, resource: str, principal: str | None) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert not unknown, unknown
    if principal is not None and statement["Principal"] != "*":
        named = [p for kind in statement["Principal"].values() for p in listed(kind)]
        if not any(principal == p or p == f"arn:aws:iam::{principal}:root" for p in named):
            return False
    actions, resources = listed(statement["Action"]), listed(statement.get("Resource", "*"))
    return any(fnmatchcase(action.lower(), a.lower()) for a in actions) and any(
        fnmatchcase(resource, r) for r in resources
    )


def _holds(statement: Mapping[str, Any], request: Mapping[str, str]) -> bool:
    for operator, wanted in statement.get("Condition", {}).items():
        for key, values in wanted.items():
            seen = request.get(key)
            if operator in ("StringEquals", "Bool"):
                holds = seen is not None and seen in listed(values)
            elif operator == "StringLike":
                holds = seen is not None and any(fnmatchcase(seen, value) for value in listed(values))
            elif operator == "StringNotEquals":  # also true of what is not there
                holds = seen not in listed(values)
            elif operator == "Null":
                holds = str(seen is None).lower() == values
            else:
                raise ValueError(f"{operator} is no operator that is judged here")
            if not holds:
                return False
    return True
