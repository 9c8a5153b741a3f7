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


class Admission:
    """Lets a bounded number of commands run; use as `async with`. Some connections are left for reads and workers."""

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._slots: asyncio.Semaphore | None = None
        self._limit = 0
        self._inside = 0
        self._disk_checked = float("-inf")
        self._disk_full = False

    async def __aenter__(self) -> None:
        """Take a slot.

        Raises:
            Problem: 429 with Retry-After when too much waits; 503 when the store may be behind the bus.
        """
        if self._slots is None:
            slots = max(1, self._running.pool.get_max_size() - 2)
            self._slots = asyncio.Semaphore(slots)
            self._limit = slots * (1 + WAITING_PER_SLOT)
        self._check()
        if self._inside >= self._limit:
            raise Problem("too_many_requests", headers={"Retry-After": "1"})
        self._count(1)
        if not self._slots.locked():
            await self._slots.acquire()  # there is one, so nothing is waited for
            return
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            self._count(-1)
            raise Problem("too_many_requests", headers={"Retry-After": "2"}) from None
        except BaseException:
            self._count(-1)
            raise

    async def __aexit__(self, *_: object) -> None:
        assert self._slots is not None  # noqa: S101 - set on entry
        self._slots.release()
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
