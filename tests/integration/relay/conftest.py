"""Fixtures of the relay's tests: an event store, a NATS server that may be hurt, a connection to it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client
from tests.support.relaying import NatsToHurt, connect, event_database

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with event_database(database) as found:
        yield found


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsToHurt]:
    found = NatsToHurt(tmp_path)
    await found.start()
    yield found
    found.kill()


@pytest.fixture
async def client(server: NatsToHurt) -> AsyncIterator[Client]:
    found = await connect(server.url)
    yield found
    await found.close()
