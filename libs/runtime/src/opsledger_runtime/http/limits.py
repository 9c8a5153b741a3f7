"""Overload is answered, not suffered: a bounded queue of commands, a bounded backlog, a disk that is not full (D6)."""

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

from opsledger_runtime.clock import monotonic
from opsledger_runtime.http.problems import Problem
from opsledger_runtime.metrics import COMMANDS_IN_FLIGHT, accepting, child

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

WAITING_PER_SLOT: Final = 32
"""Commands that may wait for each one that may run."""

QUEUE_SECONDS: Final = 5.0
"""A command that waited longer than this is refused: its caller has likely gone."""

LEAST_DISK_BYTES: Final = 256 * 1024 * 1024
_DISK_CHECK_SECONDS: Final = 5.0


class Slots:
    """Lets a bounded number of transactions run; use as `async with`. Connections are left for reads and workers."""

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._free: asyncio.Semaphore | None = None

    @property
    def number(self) -> int:
        """How many there are."""
        return max(1, self._running.pool.get_max_size() - 2)

    async def __aenter__(self) -> None:
        """Take one.

        Raises:
            Problem: 429 with Retry-After when none was free for too long.
        """
        if self._free is None:
            self._free = asyncio.Semaphore(self.number)
        if not self._free.locked():
            await self._free.acquire()  # there is one, so nothing is waited for
            return
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise Problem("too_many_requests", headers={"Retry-After": "2"}) from None

    async def __aexit__(self, *_: object) -> None:
        assert self._free is not None  # noqa: S101 - set on entry
        self._free.release()


class Admission:
    """Lets a bounded number of commands in, to run or to wait for a slot; use as `async with`."""

    def __init__(self, running: "Running", slots: Slots) -> None:
        self._running = running
        self._slots = slots
        self._inside = 0
        self._disk_checked = float("-inf")
        self._disk_full = False

    async def __aenter__(self) -> None:
        """Come in.

        Raises:
            Problem: 429 with Retry-After when too much waits; 503 when the store may be behind the bus.
        """
        self._check()
        if self._inside >= self._slots.number * (1 + WAITING_PER_SLOT):
            raise Problem("too_many_requests", headers={"Retry-After": "1"})
        self._count(1)

    async def __aexit__(self, *_: object) -> None:
        self._count(-1)

    def _count(self, change: int) -> None:
        self._inside += change
        child(COMMANDS_IN_FLIGHT, self._running.context).set(self._inside)

    def _check(self) -> None:
        running = self._running
        if not accepting(running):
            raise Problem("store_behind", headers={"Retry-After": "30"}, service=running.context)
        status = running.relay.status()
        backlog = status["outbox"] + max(0, status["numbered"] - status["published"])
        if backlog > running.settings.max_backlog:
            raise Problem("backlog_full", headers={"Retry-After": "10"}, backlog=backlog)
        if running.settings.data_dir is not None and self._full(str(running.settings.data_dir)):
            raise Problem("disk_full", headers={"Retry-After": "60"})

    def _full(self, folder: str) -> bool:
        now = monotonic()
        if now - self._disk_checked >= _DISK_CHECK_SECONDS:
            self._disk_checked = now
            try:
                self._disk_full = shutil.disk_usage(folder).free < LEAST_DISK_BYTES
            except OSError:
                self._disk_full = False  # the database's own error says more about a folder that cannot be read
        return self._disk_full
