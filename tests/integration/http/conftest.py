"""Fixtures of the doors' tests; they live in `tests/support`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.counting import Counting, counting_service


@pytest.fixture
async def counting(database: str, tmp_path: Path) -> AsyncIterator[Counting]:
    async with counting_service(database, tmp_path) as found:
        yield found
