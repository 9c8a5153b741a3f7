"""Fixtures of this folder; what they build lives in tests/support."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.promising import Promises, promises_service
from tests.support.service_levels import ServiceLevels, service_levels


@pytest.fixture
async def levels(database: str, tmp_path: Path) -> AsyncIterator[ServiceLevels]:
    async with service_levels(database, tmp_path) as found:
        yield found


@pytest.fixture
async def promises(database: str, tmp_path: Path) -> AsyncIterator[Promises]:
    async with promises_service(database, tmp_path) as found:
        yield found
