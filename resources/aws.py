"""The AWS clients: made when they are first needed, and once for each region, since making one takes a second.

Credentials and, unless given, the region come from the usual AWS settings. boto3 is loaded here and nowhere else.
"""

from functools import cache
from typing import Any


@cache
def client(service: str, region_name: str | None) -> Any:
    """The boto3 client of a service."""
    import boto3

    return boto3.client(service, region_name=region_name)


@cache
def s3_client(region_name: str | None, endpoint_url: str | None) -> Any:
    """The S3 client of dagster-aws's S3Resource."""
    from dagster_aws.s3 import S3Resource

    return S3Resource(region_name=region_name, endpoint_url=endpoint_url).get_client()
