"""Asking an endpoint on SageMaker without boto3's client: `matching.client` with requests signed by SigV4.

sagemaker_client("matching-prod", "eu-central-1").decide([{"record_id": "1", "name": "IBM"}])
"""

from collections.abc import Mapping
from typing import Any

from matching.client import Client, Sign


def sagemaker_client(
    endpoint: str, region: str, credentials: Any = None, variant: str | None = None, **more: Any
) -> Client:
    """A client of a SageMaker endpoint, or of one variant of it. `more`: as Client's.

    `credentials`: botocore's, as a session of an assumed role gives them; those of the environment when left out.
    """
    url = f"https://runtime.sagemaker.{region}.amazonaws.com"
    path = f"/endpoints/{endpoint}/invocations"
    return Client(url, path=path, sign=signer(region, credentials, variant), **more)


def signer(region: str, credentials: Any = None, variant: str | None = None) -> Sign:
    """Signs a request for SageMaker's runtime (AWS Signature Version 4); each try anew, because it expires."""

    def sign(url: str, body: bytes, headers: dict[str, str]) -> Mapping[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import get_session

        known = credentials or get_session().get_credentials()
        given = headers | ({"X-Amzn-SageMaker-Target-Variant": variant} if variant else {})
        request = AWSRequest("POST", url, data=body, headers=given)
        SigV4Auth(known, "sagemaker", region).add_auth(request)
        return dict(request.headers.items())

    return sign
