"""Serving HTTP: the listening socket, taken before anything else starts, and uvicorn without signal handling."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from opsledger_runtime.embedded.problems import CannotStart

_HEAD: Final = b"HTTP/1.1 "

DRAIN_SECONDS: Final = 10
"""How long requests in flight may take to end after a stop was asked for."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        CannotStart: the port is busy or not allowed.
    """
    # The protocol is named, since a loop turns Nagle's delay off only where it is, and accepted sockets inherit it.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(1024)
    except OSError as error:
        found.close()
        match error.errno:
            case errno.EADDRINUSE:
                other = port + 1 if port < 65_535 else 8080
                raise CannotStart(
                    f"Port {port} is in use by another program (perhaps another Opsledger). Stop that one, or choose "
                    f"another port: OPSLEDGER_PORT={other} make run."
                ) from error
            case errno.EACCES | errno.EPERM:
                raise CannotStart(
                    f"You may not listen on port {port}; ports below 1024 are reserved. Choose another one: "
                    "OPSLEDGER_PORT=8080 make run."
                ) from error
            case _:
                raise CannotStart(f"Opsledger cannot listen on {host}:{port}: {error.strerror or error}.") from error
    return found


class _Joining(asyncio.Transport):
    """A connection that sends the head of an answer together with what follows it at once.

    uvicorn writes the two one after the other, and each write is a system call here and a packet to wake up for there.
    """

    def __init__(self, link: asyncio.Transport) -> None:
        super().__init__()
        self._link = link
        self._head = b""
        self.get_extra_info = link.get_extra_info  # type: ignore[method-assign]
        self.is_closing = link.is_closing  # type: ignore[method-assign]
        self.is_reading = link.is_reading  # type: ignore[method-assign]
        self.pause_reading = link.pause_reading  # type: ignore[method-assign]
        self.resume_reading = link.resume_reading  # type: ignore[method-assign]
        self.set_protocol = link.set_protocol  # type: ignore[method-assign]
        self.get_protocol = link.get_protocol  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._link.write(head + data)
        elif isinstance(data, bytes) and data.startswith(_HEAD) and data.endswith(b"\r\n\r\n"):
            self._head = data
            asyncio.get_running_loop().call_soon(self._send_head)  # where nothing follows at once
        else:
            self._link.write(data)

    def _send_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._link.write(head)

    def close(self) -> None:
        self._send_head()
        self._link.close()

    def abort(self) -> None:
        self._head = b""
        self._link.abort()


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joining(transport))


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the whole process, not to the HTTP server alone."""
        yield


@asynccontextmanager
async def serving(app: Any, link: socket.socket) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve until the context ends, then let requests in flight finish. Yields once requests are taken."""
    server = _Server(
        uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[link]), name="http")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise CannotStart("The HTTP server ended while starting.")
            await asyncio.sleep(0.01)
        yield task
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
