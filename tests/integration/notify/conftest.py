"""Fixtures of the notify tests; they live in `tests/support`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.notifying import Notify, notify_service

from opsledger_runtime.testing.smtp_sink import SmtpSink


@pytest.fixture
async def notify(database: str, tmp_path: Path) -> AsyncIterator[Notify]:
    async with notify_service(database, tmp_path) as found:
        await found.introduce()
        yield found


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as found:
        yield found
