"""Numbered events on their way from numbering to publishing, so that they need not be read again.

Owns no truth: what is not here is read from the store. Refuses to hold anything but an unbroken row of events.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from opsledger_runtime import numbering
from opsledger_runtime.clock import monotonic
from opsledger_runtime.numbering import Numbered
from opsledger_runtime.publishing import BATCH_BYTES, BATCH_EVENTS
from opsledger_runtime.waking import wait

_EVENTS: Final = 6 * BATCH_EVENTS
_BYTES: Final = 4 * BATCH_BYTES
_READ_EVENTS: Final = 4 * BATCH_EVENTS


class Kept:
    """Numbered events that are not published yet: at most about 3000, or 16 MiB."""

    def __init__(self) -> None:
        self._events: deque[Numbered] = deque()
        self._bytes = 0
        self._taken = asyncio.Event()

    async def room(self, seconds: float) -> None:
        """Let publishing take some of what is here before more comes, at most `seconds`."""
        deadline = monotonic() + seconds
        while self._full() and (left := deadline - monotonic()) > 0:
            self._taken.clear()
            await wait(self._taken, left)

    def _full(self) -> bool:
        return len(self._events) > _EVENTS // 2 or self._bytes > _BYTES // 2

    def add(self, events: Sequence[Numbered]) -> None:
        """Remember what was just numbered or read, where it follows and there is room."""
        if events and self._events and events[0].prevhash != self._events[-1].hash:
            if events[0].no > self._events[-1].no + 1:
                return  # what is between them comes first
            self.forget()
        size = sum(len(event.body) for event in events)
        if self._events and (len(self._events) + len(events) > _EVENTS or self._bytes + size > _BYTES):
            return
        self._events.extend(events)
        self._bytes += size

    async def after(self, no: int, pool: Any) -> Sequence[Numbered]:
        """The events right after `no`, at most a batch; read from the store where the next one is not here.

        Raises:
            OSError, asyncpg.PostgresError: the database is away.
        """
        if not self._at(no):
            self.forget()
            self.add(await numbering.beyond(pool, no, _READ_EVENTS))
        return list(islice(self._events, BATCH_EVENTS)) if self._at(no) else ()

    def _at(self, no: int) -> bool:
        while self._events and self._events[0].no <= no:
            self._bytes -= len(self._events.popleft().body)
        self._taken.set()
        return bool(self._events) and self._events[0].no == no + 1

    def forget(self) -> None:
        """After any doubt about what the store holds."""
        self._events.clear()
        self._bytes = 0
        self._taken.set()
