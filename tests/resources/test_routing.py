"""Which variant answers: by share, and the same one for the same entity."""

from collections import Counter

import orjson
import pytest

from resources.routing import Table, entity_key


def lane(fleet: int, variant: str, group: float, share: float, role: str = "production") -> dict[str, object]:
    return {
        "target": f"{fleet}/{role}/{variant}",
        "variant": variant,
        "version": f"v{fleet}",
        "role": role,
        "group": group,
        "share": share,
        "addresses": [["127.0.0.1", 8000 + fleet]],
    }


def table(*lanes: dict[str, object]) -> Table:
    return Table.of({"production": lanes, "shadow": None, "window_seconds": 1.0})


KEYS = [str(number).encode() for number in range(20_000)]


def shifted(share: float) -> Table:
    """A fleet of two variants takes over from one."""
    new = [lane(2, "a", share, share / 2), lane(2, "b", share, share / 2)]
    return table(*new, lane(1, "a", 1 - share, 1 - share))


def test_variants_get_their_share():
    counts = Counter(shifted(0.3).choose(key).target for key in KEYS)
    shares = {target: count / len(KEYS) for target, count in counts.items()}
    wanted = {"2/production/a": 0.15, "2/production/b": 0.15, "1/production/a": 0.7}
    assert shares == pytest.approx(wanted, abs=0.02)


def test_an_entity_that_has_moved_stays_where_it_is_as_the_share_grows():
    for smaller, larger in ((0.1, 0.25), (0.25, 0.5), (0.5, 1.0)):
        moved = [(shifted(smaller).choose(key), shifted(larger).choose(key)) for key in KEYS[:5000]]
        assert all(after.target == before.target for before, after in moved if before.target.startswith("2/"))


def test_the_same_entity_goes_to_the_same_variant_under_any_record_id():
    first, second = ({"record_id": i, "name": "Acme", "country": "DE"} for i in "ab")
    keys = {entity_key(orjson.dumps(record), "application/json") for record in (first, second)}
    assert len(keys) == 1
    other = entity_key(orjson.dumps({**first, "name": "Other"}), "application/json")
    assert other not in keys


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"records": [{"name": "a"}, {"name": "b"}]}', b"{}"])
def test_what_is_no_single_record_goes_by_its_bytes(body: bytes):
    assert entity_key(body, "application/json") == body


def test_a_variant_can_be_asked_for_by_name():
    assert shifted(0.3).named("b").target == "2/production/b"
    assert shifted(0.3).named("a").target == "1/production/a"
    assert shifted(0.3).named("c") is None


def test_nothing_serves_from_an_empty_table():
    assert table().choose(b"key") is None


def test_another_answers_only_where_none_was_asked_for_by_name():
    chosen = shifted(0.3).named("b")
    assert shifted(0.3).others(chosen, own=True) == [("127.0.0.1", 8002)]
    assert ("127.0.0.1", 8001) in shifted(0.3).others(chosen, own=False)
