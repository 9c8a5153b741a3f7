"""Fixtures of real servers; `tests/conftest.py` only names them."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import nats
import pytest
from nats.js.errors import NotFoundError

from opsledger_runtime.testing.servers import NoServer, nats_server, postgres_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Superuser URL; one server for each parallel worker unless the environment names one."""
    try:
        with postgres_server() as url:
            yield url
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """URL of a NATS with JetStream and without users; one server for each parallel worker."""
    try:
        with nats_server() as url:
            yield url
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)


@asynccontextmanager
async def new_database(postgres_url: str, like: str | None = None) -> AsyncIterator[str]:
    """URL of a fresh database, dropped afterwards even when connections are left open.

    It is empty, or a copy of the one that the URL `like` names, which nobody is connected to.
    """
    name = f"test_{uuid.uuid4().hex}"
    template = "template1" if like is None else urlsplit(like).path.removeprefix("/")
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"create database {name} template {template}")
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    finally:
        await connection.execute(f"drop database if exists {name} with (force)")
        await connection.close()


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[str]:
    """URL of a fresh empty database."""
    async with new_database(postgres_url) as url:
        yield url


@pytest.fixture
async def fresh_nats(nats_url: str) -> str:
    """The URL after every JetStream stream there is deleted."""
    client = await nats.connect(nats_url)
    try:
        js = client.jetstream()
        for stream in await js.streams_info():
            if stream.config.name is not None:
                try:
                    await js.delete_stream(stream.config.name)
                except NotFoundError:
                    continue
    finally:
        await client.close()
    return nats_url
