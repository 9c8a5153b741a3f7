"""Fixtures of this folder; what they build lives in tests/support."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.register import Register, cmdb_database
from tests.support.register import register as opened


@pytest.fixture(scope="session")
async def cmdb_url(postgres_url: str) -> AsyncIterator[str]:
    async with cmdb_database(postgres_url) as url:
        yield url


@pytest.fixture
async def register(cmdb_url: str, tmp_path: Path) -> AsyncIterator[Register]:
    async with opened(cmdb_url, tmp_path) as found:
        yield found
        await found.assert_rebuilt()
