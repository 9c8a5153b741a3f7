"""Serving HTTP: the listening socket, taken before anything else starts, and uvicorn without signal handling."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn

from opsledger_runtime.embedded.problems import CannotStart

DRAIN_SECONDS: Final = 10
"""How long requests in flight may take to end after a stop was asked for."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        CannotStart: the port is busy or not allowed.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
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
            log_config=None,
            access_log=False,
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
