from botocore.credentials import Credentials

from resources.signing import sagemaker_client


def test_a_request_to_sagemaker_is_signed_for_its_service_and_names_its_variant():
    asked = sagemaker_client("prod", "eu-central-1", Credentials("AKID", "secret", "token"), "blue")
    headers = asked._headers(b"{}", "mine")
    assert asked.url + asked.path == "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/prod/invocations"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-central-1/sagemaker/aws4_request" in headers["Authorization"]
    assert "x-amzn-sagemaker-target-variant" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "token"
