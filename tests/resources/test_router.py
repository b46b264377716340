"""The router in this process, before instances that answer as a test wants: what a request costs when they do not."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from resources.answers import answers_file
from resources.metering import read_windows
from resources.processes import free_port
from resources.router import Router
from resources.routing import Address, Table
from resources.wire import Message, Pool, Server, answer

HOST = "127.0.0.1"
ASKED = b'{"record_id": "a", "name": "Acme"}'


def request(body: bytes = ASKED, **headers: str) -> Message:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Message([(b"content-type", b"application/json"), *named], body, b"POST", b"/invocations")


def decided(version: str, band: str = "match") -> bytes:
    decision = {"record_id": "a", "decision": band, "reference_id": "R1"}
    return json.dumps({"bundle_version": version, "decisions": [decision]}).encode()


async def instance(version: str, seconds: float = 0.0, dies: bool = False) -> Address:
    """An instance that answers after some seconds, or ends the connection instead."""
    servers: list[Server] = []

    async def handle(_: Message) -> Message:
        await asyncio.sleep(seconds)
        if dies:
            for server in servers:
                server._transport.abort()
        found = answer(200, decided(version))
        found.headers += [(b"x-bundle-version", version.encode()), (b"x-bands", b"match=1,review=0,no_match=0")]
        return found

    def connect() -> Server:
        servers.append(Server(handle, 1 << 20))
        return servers[-1]

    server = await asyncio.get_running_loop().create_server(connect, HOST, 0)
    return (HOST, server.sockets[0].getsockname()[1])


def lane(variant: str, share: float, *addresses: Address, role: str = "production") -> dict[str, object]:
    known = {"target": f"1/{role}/{variant}", "variant": variant, "version": variant, "role": role}
    return {**known, "group": 1.0, "share": share, "addresses": addresses}


def routing(tmp_path: Path, *lanes: dict[str, object], shadow: dict[str, object] | None = None) -> Router:
    router = Router(tmp_path / "table.json")
    router.table = Table.of({"production": lanes, "shadow": shadow, "window_seconds": 0.1})
    return router


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())


def test_a_request_whose_instance_ends_is_answered_by_another(tmp_path: Path) -> None:
    async def test() -> None:
        good, bad = await instance("v1"), await instance("v1", dies=True)
        router = routing(tmp_path, lane("A", 1.0, good, bad))
        found = [await router.handle(request()) for _ in range(6)]
        assert {message.status for message in found} == {200}

    run(test)


def test_where_no_instance_is_left_another_variant_answers_unless_one_was_named(tmp_path: Path) -> None:
    async def test() -> None:
        gone, good = (HOST, free_port(HOST)), await instance("B")
        router = routing(tmp_path, lane("A", 1.0, gone), lane("B", 0.0, good))
        assert (await router.handle(request())).header(b"x-invoked-variant") == "B"
        named = await router.handle(request(x_target_variant="A"))
        assert (named.status, named.header(b"retry-after")) == (503, "1")

    run(test)


def test_an_unknown_variant_is_a_wrong_request(tmp_path: Path) -> None:
    async def test() -> None:
        router = routing(tmp_path, lane("A", 1.0, await instance("A")))
        assert (await router.handle(request(x_target_variant="Z"))).status == 400

    run(test)


def test_a_shadow_that_hangs_slows_nobody_and_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    async def test() -> None:
        slow = lane("S", 1.0, await instance("S", seconds=30), role="shadow")
        router = routing(tmp_path, lane("A", 1.0, await instance("A")), shadow=slow)
        tasks = router._mirror.start(asyncio.get_running_loop())
        began = time.monotonic()
        for number in range(100):
            assert (await router.handle(request(b'{"name": "%d"}' % number))).status == 200
        assert time.monotonic() - began < 10
        assert router._mirror.counts["dropped"] >= 100 - 64 - 2
        for task in tasks:
            task.cancel()

    run(test)


def test_what_was_answered_is_in_the_window_and_no_name_is(tmp_path: Path) -> None:
    async def test() -> None:
        router = routing(tmp_path, lane("A", 1.0, await instance("A")))
        for _ in range(3):
            await router.handle(request())
        router._close_window()

    run(test)
    file = tmp_path / "table.windows.jsonl"
    (window,) = read_windows(file, since=0.0)
    assert (window.target, window.requests, window.errors, window.bands["match"]) == ("1/production/A", 3, 0, 3)
    assert "Acme" not in file.read_text()


def test_a_window_that_a_kill_has_torn_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "table.windows.jsonl"
    file.write_bytes(b'{"at": 1.0, "seconds": 1.0, "target": "t", "latency": []}\n{"at": 2.0, "sec')
    assert [window.at for window in read_windows(file, since=0.0)] == [1.0]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000, b"413"),
        (b"GET /-/routes HTTP/1.1\r\nhost: x\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", b"200"),
    ],
)
def test_what_comes_over_the_wire_is_answered(tmp_path: Path, sent: bytes, status: bytes) -> None:
    async def test() -> None:
        router = routing(tmp_path)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Server(router.handle, 1000), HOST, 0)
        reader, writer = await asyncio.open_connection(HOST, server.sockets[0].getsockname()[1])
        writer.write(sent)
        assert (await reader.readline()).split()[1] == status
        writer.close()

    run(test)


def test_requests_on_one_connection_are_answered_in_turn(tmp_path: Path) -> None:
    async def test() -> None:
        router = routing(tmp_path, lane("A", 1.0, await instance("A")))
        server = await asyncio.get_running_loop().create_server(lambda: Server(router.handle, 1000), HOST, 0)
        address, pool = server.sockets[0].getsockname(), Pool()
        found = [await pool.ask(address, request(b'{"name": "%d"}' % n), 5) for n in range(5)]
        assert [message.status for message in found] == [200] * 5
        assert sum(map(len, pool._idle.values())) == 1

    run(test)


def test_only_what_chance_shares_out_between_variants_is_kept_for_an_ab(tmp_path: Path) -> None:
    async def test() -> None:
        one, other = await instance("v1"), await instance("v2")
        router = routing(tmp_path, lane("champion", 0.5, one), lane("challenger", 0.5, other))
        await router.handle(request())
        await router.handle(request(x_target_variant="challenger"))
        alone = routing(tmp_path, lane("champion", 1.0, one))
        await alone.handle(request())
        for some in (router, alone):
            some._close_window()

        assert len(answers_file(tmp_path / "table.json").read_text().splitlines()) == 1

    run(test)
