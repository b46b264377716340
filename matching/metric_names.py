"""What the container's metrics are called in CloudWatch: the one list for who reports them and who sets alarms on them.

All are counts but `latency_ms`. A container does not know which endpoint and variant it is of: who makes the model says
so by the variables of DIMENSIONS.
"""

from __future__ import annotations

NAMESPACE = "Matching"
BUNDLE = "BundleVersion"
DIMENSIONS = {"EndpointName": "MATCHING_ENDPOINT_NAME", "VariantName": "MATCHING_VARIANT_NAME"}
"""SageMaker's own dimensions, and the variable that says each."""

REQUESTS, ERRORS, THROTTLED = "requests", "errors", "throttled_requests"
RECORDS, DEGRADED = "records", "degraded_records"
BANDS = {band: f"{band}_records" for band in ("match", "review", "no_match")}
COUNTS = (REQUESTS, ERRORS, THROTTLED, RECORDS, DEGRADED, *BANDS.values())
LATENCY = "latency_ms"

SHARES = {
    "throttled_share": (THROTTLED, REQUESTS),
    "degraded_share": (DEGRADED, RECORDS),
    "match_share": (BANDS["match"], RECORDS),
    "review_share": (BANDS["review"], RECORDS),
}
"""What alarms watch (resources/alarms.py): which count of which."""
