"""Group commit: commands that come while a transaction is under way share the next one.

What a transaction costs besides deciding (its begin, the append, the read models, the commit, a round trip for each) is
paid once for all of them. Refuses to let one command suffer from another: whatever goes wrong before the commit undoes
the whole, and each command runs again in a transaction of its own.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar, cast

from opsledger_runtime.store import EventStore, Transaction

T = TypeVar("T")
Work = Callable[[Transaction], Awaitable[T]]

MOST: Final = 32
"""How many commands share a transaction at most."""

_AT_ONCE: Final = 2
"""While one transaction waits for the disk, the next one can decide."""

_PATIENCE_SECONDS: Final = 0.02
"""Whoever waits longer than this does so for somebody's lock, and need not."""


class _Apart(Exception):
    """The transaction was undone; whether it was this command's doing is not known."""


class _Member:
    """One command that waits for its transaction; `context` has what its request is logged with."""

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.context = contextvars.copy_context()
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class GroupCommit:
    """Runs the commands of one process. `slot` is held by each transaction, so that connections are left for others."""

    def __init__(self, store: EventStore, slot: AbstractAsyncContextManager[Any], most_at_once: int) -> None:
        self._store = store
        self._slot = slot
        self._most_at_once = most_at_once
        self._waiting: deque[_Member] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._impatient: asyncio.TimerHandle | None = None

    async def run(self, work: Work[T], *, retry: bool = True) -> T:
        """Run `work` in a transaction that others may share, and return after the commit.

        `work` sees aggregates as the commands before it have left them, but tables as if these had not come yet, and
        a lock that one of them took does not hold it up. So it is for work that rests on aggregates and versions
        alone. It runs again, alone and with `again` set, after any failure; `retry` as in `EventStore.run`.
        """
        member = _Member(work)
        self._waiting.append(member)
        if len(self._running) < _AT_ONCE:
            self._start()
        else:
            self._hurry()
        try:
            answer: T = await member.answer
        except _Apart:
            pass
        else:
            return answer
        async with self._slot:
            return await self._store.run(work, retry=retry, again=True)

    def _start(self) -> None:
        self._running.add(asyncio.create_task(self._follow()))

    def _hurry(self) -> None:
        if self._impatient is None:
            self._impatient = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._hurried)

    def _hurried(self) -> None:
        self._impatient = None
        if self._waiting:
            if len(self._running) < self._most_at_once:
                self._start()
            self._hurry()

    async def _follow(self) -> None:
        """One transaction after the other, until nobody waits."""
        try:
            while self._waiting:
                members = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                if members := [member for member in members if not member.answer.done()]:
                    await self._together(members)
        finally:  # at once: who comes before the loop turns again would wait for one that has ended
            self._running.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _together(self, members: list[_Member]) -> None:
        decided = False
        try:
            async with self._slot, self._store.transaction() as transaction:
                loop = asyncio.get_running_loop()
                found = [
                    await loop.create_task(_awaited(member.work(transaction)), context=member.context)
                    for member in members
                ]
                await transaction.flush()
                decided = True  # what fails from here on is the commit, whose outcome may be unknown
        except BaseException as error:
            for member in members:
                member.fail(error if decided or not isinstance(error, Exception) else _Apart())
            if not isinstance(error, Exception):
                raise
            return
        for member, answer in zip(members, found, strict=True):
            if not member.answer.done():
                member.answer.set_result(answer)


async def _awaited(work: Awaitable[T]) -> T:
    return await work
