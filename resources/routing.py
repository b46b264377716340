"""Which variant answers a request: the routing table, and the hash that keeps an entity where it is. Pure.

The table is a JSON document that the controller writes and the router follows:

    {"production": [{"fleet", "role", "variant", "version", "group", "share", "target", "addresses": [[host, port]]}],
     "shadow": null or the same, "window_seconds"}

A request's key is the content of its record without `record_id`, so that the same company goes to the same variant
whoever asks; a batch goes as one. Two independent numbers are made of the key: the first chooses the fleet, the second
the variant in it. A fleet whose share grows keeps those it had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson

Address = tuple[str, int]
LARGEST_PARSED = 16 * 1024
"""A longer body is hashed as it stands: it is a batch, and has no entity of its own."""
UNIT = 2.0**-32


@dataclass(frozen=True)
class Lane:
    """A variant that gets requests: under which name it is measured, its share, and where it listens."""

    target: str
    variant: str
    version: str
    role: str
    group: float
    share: float
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Table:
    """What the router follows. `document`: as the controller wrote it."""

    document: Mapping[str, Any]
    fleets: tuple[tuple[float, tuple[Lane, ...]], ...]
    shadow: Lane | None
    window_seconds: float

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Table:
        """The table of a document."""
        lanes = [_lane(route) for route in document["production"]]
        groups = [tuple(found) for _, found in groupby(lanes, key=lambda lane: lane.target.rpartition("/")[0])]
        shadow = _lane(document["shadow"]) if document["shadow"] else None
        return cls(document, tuple((g[0].group, g) for g in groups), shadow, document["window_seconds"])

    @property
    def lanes(self) -> Iterator[Lane]:
        """All lanes of production."""
        return (lane for _, group in self.fleets for lane in group)

    @property
    def splits(self) -> bool:
        """Whether variants share a fleet's traffic: an A/B, unlike a canary beside the old fleet."""
        return any(len(lanes) > 1 for _, lanes in self.fleets)

    def choose(self, key: bytes) -> Lane | None:
        """The lane of a key; None when there is none."""
        fleet, variant, _ = numbers(key)
        group = _pick([share for share, _ in self.fleets], fleet)
        if group is None:
            return None
        lanes = self.fleets[group][1]
        number = _pick([lane.share for lane in lanes], variant)
        return None if number is None else lanes[number]

    def named(self, variant: str) -> Lane | None:
        """The lane of a variant that is asked for by name: the one with the largest share."""
        return max((lane for lane in self.lanes if lane.variant == variant), key=lambda x: x.share, default=None)

    def others(self, lane: Lane, own: bool) -> list[Address]:
        """Where else an answer could come from: the lane's own instances, then (unless `own`) those of other lanes."""
        rest = () if own else (other for other in self.lanes if other != lane)
        return [address for some in (lane, *rest) for address in some.addresses]


def entity_key(body: bytes, content_type: str) -> bytes:
    """The key of a request: what its only record says of the entity, or the whole body."""
    if len(body) > LARGEST_PARSED or "json" not in content_type:
        return body
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if isinstance(record, dict) and isinstance(records := record.get("records"), list) and len(records) == 1:
        record = records[0]
    if not isinstance(record, dict) or "name" not in record:
        return body
    known = {name: value for name, value in record.items() if name != "record_id" and value is not None}
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS)


def numbers(key: bytes) -> tuple[float, float, float]:
    """Three independent numbers in [0, 1): for the fleet, the variant and the shadow."""
    digest = hashlib.blake2b(key, digest_size=12).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "big") * UNIT for i in (0, 4, 8))  # type: ignore[return-value]


def _pick(shares: Sequence[float], number: float) -> int | None:
    """Which share a number in [0, 1) falls into; shares that do not add up to 1 are scaled."""
    left = number * sum(shares)
    for place, share in enumerate(shares):
        if left < share:
            return place
        left -= share
    return len(shares) - 1 if shares and sum(shares) > 0 else None


def _lane(route: Mapping[str, Any]) -> Lane:
    fields = {name: route[name] for name in ("target", "variant", "version", "role", "group", "share")}
    return Lane(**fields, addresses=tuple((host, port) for host, port in route["addresses"]))
