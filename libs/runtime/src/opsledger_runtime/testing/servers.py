"""Real Postgres and NATS for tests: from the environment, else containers, else the wheels. Never a skip.

Owns their lives. Refuses to share one NATS between parallel test workers, since the stream's name is fixed.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from opsledger_runtime.embedded.nats import EmbeddedNats
from opsledger_runtime.embedded.postgres import EmbeddedPostgres
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.embedded.processes import free_port

POSTGRES_URL: Final = "OPSLEDGER_TEST_POSTGRES_URL"
NATS_URL: Final = "OPSLEDGER_TEST_NATS_URL"
POSTGRES_IMAGE: Final = "postgres:18"
NATS_IMAGE: Final = "nats:2"

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - within it every server has a folder of its own, made by `mkdtemp`
_ROOM: Final = 4 << 30
"""Bytes free there for servers of several workers; a container is mostly given 64 MB."""


class NoServer(AssertionError):
    """No way to a real server worked; says what was tried and what to do."""


def _docker_answers() -> bool:
    try:
        import docker

        client = docker.from_env(timeout=3)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except Exception:
        return False  # whatever is wrong with it, the wheels are the next way


@contextmanager
def postgres_server() -> Iterator[str]:
    """A superuser's URL to a Postgres that may be filled with databases.

    Raises:
        NoServer: none of the three ways worked.
    """
    url = os.environ.get(POSTGRES_URL)
    if url:
        yield url
        return
    with ExitStack() as stack:
        yield _first("Postgres", POSTGRES_URL, stack, _postgres_container, _postgres_wheel)


@contextmanager
def nats_server() -> Iterator[str]:
    """A URL to a NATS with JetStream, without users.

    Raises:
        NoServer: none of the three ways worked, or parallel workers would share one server.
    """
    url = os.environ.get(NATS_URL)
    if url:
        if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
            raise NoServer(
                f"{NATS_URL} names one NATS server, and parallel test workers cannot share one: the stream's name is "
                f"fixed. Run pytest with -n 0, or unset {NATS_URL} so that each worker starts its own."
            )
        yield url
        return
    with ExitStack() as stack:
        yield _first("NATS", NATS_URL, stack, _nats_container, _nats_wheel)


def _first(
    name: str, variable: str, stack: ExitStack, container: Callable[[ExitStack], str], wheel: Callable[[ExitStack], str]
) -> str:
    tried = []
    if _docker_answers():
        try:
            return container(stack)
        except Exception as error:  # no image, no registry, no space: the wheels are the next way
            tried.append(f"the Docker engine answers, but its container did not start ({error})")
            print(f"{name}: {tried[-1]}; using the wheel.", file=sys.stderr)
    else:
        tried.append("no Docker engine answers")
    try:
        return wheel(stack)
    except CannotStart as error:
        tried.append(f"the wheel's server did not start ({error.sentence})")
    raise NoServer(
        f"The tests need a real {name} and found none: {'; '.join(tried)}. "
        f"Mend one of these, or set {variable} to the URL of a server that tests may fill and empty."
    )


def _container(stack: ExitStack, image: str, port: int, command: str, environment: dict[str, str]) -> str:
    """Start a container; returns host:port."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # it would need an image of its own
    from testcontainers.core.container import DockerContainer

    container: Any = DockerContainer(image).with_exposed_ports(port).with_command(command)
    for key, value in environment.items():
        container = container.with_env(key, value)
    container.start()
    stack.callback(container.stop)
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def _wait(ready: Callable[[], bool], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise NoServer(f"it did not answer within {timeout:.0f} s")
        time.sleep(0.1)


def _postgres_container(stack: ExitStack) -> str:
    import asyncio

    import asyncpg

    address = _container(
        stack, POSTGRES_IMAGE, 5432, "-c fsync=off -c max_connections=400", {"POSTGRES_HOST_AUTH_METHOD": "trust"}
    )
    url = f"postgresql://postgres@{address}/postgres"

    async def connect() -> None:
        await (await asyncpg.connect(url, timeout=3)).close()

    def ready() -> bool:
        try:
            asyncio.run(connect())
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        return True

    _wait(ready)
    return url


def _nats_container(stack: ExitStack) -> str:
    import socket

    address = _container(stack, NATS_IMAGE, 4222, "-js", {})
    host, _, port = address.rpartition(":")

    def ready() -> bool:
        try:
            with socket.create_connection((host, int(port)), timeout=2) as link:
                return link.recv(4096).startswith(b"INFO ")
        except OSError:
            return False

    _wait(ready)
    return f"nats://{address}"


def _folder(stack: ExitStack) -> Path:
    # A test makes and drops a database of some three hundred files; on a disk that takes longer than most tests do.
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM
    folder = Path(tempfile.mkdtemp(prefix="opsledger-test-", dir=_MEMORY if roomy else None))
    folder.chmod(0o711)  # the servers' own folders inside are closed; a system user must pass through this one
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _postgres_wheel(stack: ExitStack) -> str:
    server = EmbeddedPostgres(
        _folder(stack) / "postgres", free_port(), "test", durable=False, die_with_parent=True, max_connections=400
    )
    server.start()
    stack.callback(server.stop)
    return server.url()


def _nats_wheel(stack: ExitStack) -> str:
    server = EmbeddedNats(_folder(stack) / "nats", free_port(), durable=False, die_with_parent=True)
    server.start()
    stack.callback(server.stop)
    return server.url()
