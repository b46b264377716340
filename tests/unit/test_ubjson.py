"""Universal Binary JSON as XGBoost writes it and as its specification has it."""

import numpy as np
import pytest

from matching.ubjson import read_ubjson


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"F", False),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"l\xff\xff\xff\xfe", -2),
        (b"L\x00\x00\x00\x01\x00\x00\x00\x00", 2**32),
        (b"d\x3f\xc0\x00\x00", 1.5),
        (b"D\x3f\xf8\x00\x00\x00\x00\x00\x00", 1.5),
        (b"Ca", "a"),
        (b"Si\x03\xc3\xa9t", "\u00e9t"),
        (b"H\x69\x021e", "1e"),
        (b"[]", []),
        (b"[#i\x02TF", [True, False]),
        (b"[i\x01[Z]]", [1, [None]]),
        (b"{}", {}),
        (b"{i\x01ai\x05}", {"a": 5}),
        (b"{#i\x01i\x01aT", {"a": True}),
    ],
)
def test_a_value_is_read(data: bytes, value: object) -> None:
    assert read_ubjson(data) == value


def test_numbers_of_one_type_come_as_an_array() -> None:
    found = read_ubjson(b"[$d#L\x00\x00\x00\x00\x00\x00\x00\x02\x3f\xc0\x00\x00\xbf\x80\x00\x00")
    assert (found.dtype, found.tolist()) == (np.dtype(np.float32), [1.5, -1.0])


@pytest.mark.parametrize(
    "data", [b"", b"?", b"d\x3f", b"[i\x01", b"{i\x01a", b"Si\x05ab", b"TT", b"[$d#i\x02\x3f\xc0\x00\x00"]
)
def test_what_is_torn_or_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not UBJSON"):
        read_ubjson(data)
