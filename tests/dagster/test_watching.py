"""What is kept of a rollout: the figures of the new version beside its baseline, also when it was turned back."""

import pytest

from matching_assets.watching import figures, watched
from resources.alarms import EDGES_MS, Window, bucket
from resources.endpoint import EndpointStatus
from resources.rollout import Rollout


def window(target: str, at: float, ms: float, errors: int = 0, match: int = 8, review: int = 2) -> Window:
    latency = [0] * len(EDGES_MS)
    latency[bucket(ms)] = 10
    bands = {"match": match, "review": review}
    return Window(at, 1.0, target, requests=10, errors=errors, bands=bands, latency=tuple(latency))


WINDOWS = [
    window("2/production/champion", 1.0, 4.0, errors=1, match=6, review=4),
    window("1/baseline/champion", 1.0, 2.0),
    window("1/production/champion", 1.0, 50.0, errors=10),
    window("2/production/champion", 2.0, 90.0),
]


class Seen:
    """What is asked of an endpoint: its windows, and the number of its last wish."""

    def windows(self, name, since=0.0):
        return [known for known in WINDOWS if known.at > since]

    def describe(self, name):
        return EndpointStatus(name, "InService", "", (), None, "", 2, True, {})


def test_a_canary_is_compared_with_its_baseline_in_the_moments_of_both():
    found = figures(WINDOWS, 2)
    assert found["latency_ratio"] == pytest.approx(2.0, rel=0.2)
    assert (found["requests"], found["baseline_requests"], found["error_share"]) == (20.0, 10.0, 0.05)
    assert found["band_agreement"] == pytest.approx(0.8)


def test_without_a_baseline_nothing_is_compared():
    found = figures(WINDOWS[2:], 2)
    assert (found["requests"], found["latency_ratio"], found["band_agreement"]) == (10.0, None, None)


def test_what_was_turned_back_says_why_and_what_was_seen():
    check = watched(Seen(), 0.0, 7, Rollout("canary", 0.1), "matching was not deployed: its error share is 5 %")
    assert not check.passed
    assert check.description.startswith("Version 7, canary, 20 requests, error share 5.00%")
    assert check.description.endswith("matching was not deployed: its error share is 5 %")


def test_a_rollout_that_nobody_asked_says_so():
    check = watched(Seen(), 5.0, 7, Rollout())
    assert (check.passed, check.description) == (True, "Version 7, all_at_once, no requests.")
