"""The listening socket, the connection that joins writes, and the loop that all of it runs on."""

import asyncio
import socket
import sys
from typing import Any

import pytest

from opsledger import serving
from opsledger.looping import run_loop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Link(asyncio.Transport):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.ended = ""

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


async def test_a_head_waits_for_the_body_that_follows_at_once() -> None:
    link = Link()
    joining = serving._Joining(link)
    joining.write(HEAD)
    assert link.written == []
    joining.write(b"{}")
    joining.write(b"more")
    assert link.written == [HEAD + b"{}", b"more"]
    await asyncio.sleep(0)
    assert len(link.written) == 2


async def test_a_head_without_a_body_goes_out_by_itself() -> None:
    link = Link()
    joining = serving._Joining(link)
    joining.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await asyncio.sleep(0)
    joining.write(HEAD)
    joining.close()
    assert link.written == [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD]
    assert link.ended == "closed"
    joining.write(HEAD)
    joining.abort()
    await asyncio.sleep(0)
    assert len(link.written) == 2


async def app(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    await send(start)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": body[len(body) // 2 :]})


async def _ask(port: int) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for body in (b"", b"ab", b"x" * 200_000):
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        said = await reader.readuntil(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 200 OK\r\n")
        answers.append(await reader.readexactly(len(body)))
    writer.close()
    return answers


async def _serve_and_ask() -> tuple[str, bool, list[bytes]]:
    delays: list[bool] = []

    class Watched(serving._Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            found = transport.get_extra_info("socket")
            delays.append(bool(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            super().connection_made(transport)

    before, serving._Protocol = serving._Protocol, Watched  # type: ignore[misc]
    try:
        link = serving.listen("127.0.0.1", 0)
        async with serving.serving(app, link):
            answers = await _ask(link.getsockname()[1])
    finally:
        serving._Protocol = before  # type: ignore[misc]
    return type(asyncio.get_running_loop()).__module__, delays == [True], answers


@pytest.mark.parametrize("installed", [True, False])
async def test_answers_leave_at_once_and_whole_on_either_loop(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    loop, at_once, answers = await asyncio.to_thread(lambda: run_loop(_serve_and_ask()))
    assert loop.startswith("uvloop") is installed
    assert at_once
    assert answers == [b"", b"ab", b"x" * 200_000]
