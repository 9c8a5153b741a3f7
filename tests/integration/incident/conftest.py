"""Fixtures of this folder; what they build lives in tests/support."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.incident_desk import Desk, incident_database, incident_desk
from tests.support.known_items import KnownItems

from incident.settings import IncidentSettings


@pytest.fixture(scope="session")
async def shared_database(postgres_url: str) -> AsyncIterator[str]:
    async with incident_database(postgres_url) as url:
        yield url


@pytest.fixture
async def desk(shared_database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with incident_desk(shared_database, tmp_path) as found:
        yield found


@pytest.fixture
async def resolving(shared_database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk where a resolved alert resolves its incident."""
    async with incident_desk(shared_database, tmp_path, IncidentSettings("resolve", "third_party")) as found:
        yield found


@pytest.fixture
async def items(desk: Desk, shared_database: str) -> AsyncIterator[KnownItems]:
    """What the desk knows of configuration items; in the end its tables are what the events say."""
    known = KnownItems(desk)
    yield known
    await known.assert_rebuilt(shared_database)
