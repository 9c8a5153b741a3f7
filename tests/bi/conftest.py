"""Fixtures of the tests with a BI tool; they live in `tests/support`."""

import pytest
from tests.support.mart import create_reader
from tests.support.whole_platform import mail, platform

__all__ = ["mail", "platform"]


@pytest.fixture(scope="module")
async def reader(postgres_url: str) -> None:
    """The login of BI tools, there before the platform starts."""
    await create_reader(postgres_url)
