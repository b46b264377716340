"""Universal Binary JSON, draft 12 (https://ubjson.org), read: the format in which XGBoost writes its models.

It is read here so that scoring needs no XGBoost, which costs 1.5 seconds and 200 MB to import.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
CONSTANTS = {"Z": None, "T": True, "F": False}


def read_ubjson(data: bytes) -> Any:
    """The value in `data`; arrays of one type of number come as numpy arrays. Raises ValueError when it is none."""
    try:
        value, end = _value(data, 0)
    except (IndexError, KeyError, UnicodeDecodeError) as problem:
        raise ValueError(f"this is not UBJSON: {problem}") from problem
    if end != len(data):
        raise ValueError(f"this is not UBJSON: {len(data) - end} bytes are left over")
    return value


def _value(data: bytes, at: int) -> tuple[Any, int]:
    """The value that begins with its marker at `at`, and where it ends."""
    marker, at = chr(data[at]), at + 1
    if marker in CONSTANTS:
        return CONSTANTS[marker], at
    if marker in "SH":
        return _text(data, at)
    if marker == "C":
        return chr(data[at]), at + 1
    if marker == "[":
        return _array(data, at)
    if marker == "{":
        return _object(data, at)
    numbers, at = _numbers(data, at, NUMBERS[marker], 1)
    return numbers[0].item(), at


def _numbers(data: bytes, at: int, kind: str, count: int) -> tuple[Any, int]:
    end = at + count * np.dtype(kind).itemsize
    if end > len(data):
        raise IndexError("it ends in the middle of a number")
    return np.frombuffer(data[at:end], kind).astype(kind.replace(">", "=")), end


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = _value(data, at)
    return data[at : at + size].decode(), at + size


def _head(data: bytes, at: int) -> tuple[str | None, int | None, int]:
    """The type and the count of a container where they are given, and where its items begin."""
    kind = count = None
    if data[at] == ord("$"):
        kind, at = chr(data[at + 1]), at + 2
    if data[at] == ord("#"):
        count, at = _value(data, at + 1)
    return kind, count, at


def _array(data: bytes, at: int) -> tuple[Any, int]:
    kind, count, at = _head(data, at)
    if kind is not None and count is not None:
        return _numbers(data, at, NUMBERS[kind], count)
    items: list[Any] = []
    while len(items) < count if count is not None else data[at] != ord("]"):
        item, at = _value(data, at)
        items.append(item)
    return items, at + (count is None)


def _object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    _, count, at = _head(data, at)
    members: dict[str, Any] = {}
    while len(members) < count if count is not None else data[at] != ord("}"):
        name, at = _text(data, at)
        members[name], at = _value(data, at)
    return members, at + (count is None)
