"""The doors behind a real server: limits hold while a body streams in, with and without its length."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from tests.support.counting import BASE, Counting
from tests.support.waiting import eventually

from opsledger_runtime.http import gate


@asynccontextmanager
async def served(counting: Counting) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(counting.app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    try:
        await eventually(started)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await task


async def test_an_endless_body_is_cut_off(counting: Counting) -> None:
    async with served(counting) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        token = counting.headers()["Authorization"]
        writer.write(
            f"POST {BASE}/counters HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        sent = 0
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            while sent < 50 * gate.MAX_BODY:
                writer.write(chunk)
                await writer.drain()
                sent += 0x10000
        except ConnectionError:
            pass
        assert sent < 50 * gate.MAX_BODY
        try:
            head = await reader.readuntil(b"\r\n")
            assert b" 413 " in head
        except ConnectionError:
            pass  # a reset may overtake the answer
        writer.close()


async def test_a_body_that_states_its_size_is_refused_unread(counting: Counting) -> None:
    async with served(counting) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        token = counting.headers()["Authorization"]
        writer.write(
            f"POST {BASE}/counters HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert b" 413 " in head
        assert b"application/problem+json" in head
        assert b"connection: close" in head.lower()
        writer.close()


async def test_a_body_that_does_not_come_is_given_up(counting: Counting, monkeypatch: object) -> None:
    before, gate.BODY_SECONDS = gate.BODY_SECONDS, 0.2  # type: ignore[misc]
    try:
        async with served(counting) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            token = counting.headers()["Authorization"]
            writer.write(
                f"POST {BASE}/counters HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
            assert b" 408 " in head
            writer.close()
    finally:
        gate.BODY_SECONDS = before  # type: ignore[misc]


async def test_requests_in_a_row_share_a_connection(counting: Counting) -> None:
    async with (
        served(counting) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=counting.headers()) as http,
    ):
        for note in ("一", "b" * 300_000, "c"):
            answer = await http.post(f"{BASE}/intake", json={"note": note}, headers=counting.headers("integration"))
            assert answer.json() == {"note": note}
        assert (await http.get("/livez")).status_code == 200


async def test_hostile_addresses_over_a_socket(counting: Counting) -> None:
    async with served(counting) as port:
        for target in (f"{BASE}/counters/%00", f"{BASE}/counters/%ff", f"{BASE}/counters?note=%00", "/%", "//"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            token = counting.headers()["Authorization"]
            writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
            assert head.split(b" ")[1] in (b"400", b"404"), (target, head)
            writer.close()
