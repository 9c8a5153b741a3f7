"""One platform with a long history, made once in a run and lent to each case that needs one: making it is not cheap."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg

from bench import whole
from bench.history import fill
from bench.platform import Platform

_CONTEXT: Final = "incident"
_LEAST_EVENTS_PER_SECOND: Final = 3_000
"""A relay that is slower than this is taken for one that stands still."""


class Filled:
    """The platform with a history of this run. It only grows; its servers stand still between cases."""

    def __init__(self, below: Path | None) -> None:
        self._below = below
        self._platform: Platform | None = None
        self._incidents = 0

    @asynccontextmanager
    async def lend(self, incidents: int, tell: Callable[[str], None]) -> AsyncIterator[Platform]:
        """The platform with at least so many incidents of history, all of it on the stream; no service runs."""
        if self._platform is None:
            folder = Path(tempfile.mkdtemp(prefix="opsledger-bench-", dir=self._below))
            folder.chmod(0o711)  # Postgres runs as a user of its own where we are root
            self._platform = Platform(folder)
        platform = self._platform
        try:
            await platform.open()
            if self._incidents < incidents:
                tell(f"writing {incidents - self._incidents:,} incidents of history")
                await _fill(platform, incidents, tell)
                self._incidents = incidents
            yield platform
        finally:
            await platform.close()

    async def remove(self) -> None:
        """Delete its folder."""
        if self._platform is not None:
            await asyncio.to_thread(shutil.rmtree, self._platform.folder, ignore_errors=True)


async def _fill(platform: Platform, incidents: int, tell: Callable[[str], None]) -> None:
    """Write and publish at once, as in a running installation, and leave the tables as housekeeping does in time.

    While the writers wait for the disk the relay finds work, and what it reads is still in memory.
    """
    await platform.start(_CONTEXT)
    added = await fill(platform, incidents=incidents)
    tell(f"letting the relay announce the last of {added.events:,} events, {added.seconds:.0f} s after the first")
    await whole.wait_until_drained(platform, 30 + added.events / _LEAST_EVENTS_PER_SECOND)
    await platform.stop(_CONTEXT)
    tell("vacuuming")
    connection = await asyncpg.connect(platform.superuser_url(_CONTEXT))
    try:
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
