"""Leases: who may do something that only one process may do (D7).

A row per lease, renewed every 2 s and expiring after 10 s of database time. Refuses to be held by a process that
could not renew it in time, by a count of its own: a frozen process that wakes up knows at once that it may have
been replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from opsledger_runtime import ids
from opsledger_runtime.clock import monotonic
from opsledger_runtime.planted import planted

Work = Callable[["Lease"], Awaitable[None]]

DATABASE_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a statement raises when the database is away, restarting, locked or out of connections."""

_POLL_SECONDS: Final = 1.0
_RELEASE_SECONDS: Final = 2.0
_SAFETY: Final = 0.9
"""Part of the lease's life that the holder counts on, since two machines' seconds differ a little."""

_ACQUIRE: Final = """
insert into es.lease (name, holder, epoch, expires_at)
select $1, $2, 1, clock_timestamp() + $3::interval
where $4::boolean or not exists (select from es.lease where name = $1 and expires_at > clock_timestamp())
on conflict (name) do update set name = excluded.name, holder = excluded.holder, epoch = es.lease.epoch + 1,
  expires_at = clock_timestamp() + $3::interval
where es.lease.expires_at <= clock_timestamp() or $4::boolean
returning epoch
"""
"""Naming the key among what it sets makes it lock the row as if the key changed: it waits for every guard to end.

Who looks at a lease that another holds locks nothing.
"""
_RENEW: Final = """
update es.lease set expires_at = clock_timestamp() + $4::interval
where name = $1 and holder = $2 and epoch = $3 returning epoch
"""
"""Leaves the key alone, so that it passes the guards of the holder's own long transactions."""
_RELEASE: Final = """
update es.lease set expires_at = clock_timestamp() - interval '1 second'
where name = $1 and holder = $2 and epoch = $3
"""


def held_sql(first: int) -> str:
    """A query that gives a row while a lease is held, and keeps it from changing hands until the transaction ends.

    For guards inside other statements: its parameters, from number `first` on, are the values of `Lease.claim`.
    Renewals pass, since they leave the key alone.
    """
    name, holder, epoch, ignored = (f"${first + offset}" for offset in range(4))
    row = f"select from es.lease where name = {name} and holder = {holder} and epoch = {epoch} for key share"
    return f"select where {ignored}::boolean or exists ({row})"


_GUARD: Final = f"select exists ({held_sql(1)})"


class LeaseLost(Exception):
    """Somebody else holds the lease, or may hold it; step down."""


class Lease:
    """One named lease as one process sees it. Only one `run` at a time.

    `renew_every` and `expires_after` are in seconds.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        name: str,
        *,
        holder: UUID,
        renew_every: float = 2.0,
        expires_after: float = 10.0,
    ) -> None:
        self.name = name
        self.holder = holder
        self.epoch = 0
        self._pool = pool
        self._renew_every = renew_every
        self._life = timedelta(seconds=expires_after)
        self._trusted = expires_after * _SAFETY
        self._deadline = float("-inf")
        self._ignored = planted("lease-ignored")
        self._asking: set[asyncio.Task[Any]] = set()
        self._log = structlog.get_logger().bind(lease=name, holder=str(holder))

    @property
    def held(self) -> bool:
        """Whether nobody else can hold it now, by this process's own count; asks nobody."""
        return self._ignored or monotonic() < self._deadline

    async def guard(self, connection: Any) -> None:
        """Keep the lease from changing hands until the caller's transaction ends, however long; renewals pass.

        Raises:
            LeaseLost: it has changed hands already.
        """
        self.confirm(await connection.fetchval(_GUARD, *self.claim()))

    def claim(self) -> tuple[str, UUID, int, bool]:
        """What `held_sql` is asked with.

        Raises:
            LeaseLost: by this process's own count it may have changed hands already.
        """
        if not self.held:
            self.confirm(False)
        return self.name, self.holder, self.epoch, self._ignored

    def confirm(self, held: bool) -> None:
        """Take notice of what `held_sql` found.

        Raises:
            LeaseLost: it has changed hands.
        """
        if not held:
            self._deadline = float("-inf")
            raise LeaseLost(self.name)

    async def run(self, work: Work) -> None:
        """For ever: acquire, run `work` as a task and renew beside it; after a loss or the work's end, start over.

        The work is cancelled and waited for before the lease is sought again. On cancellation the work ends first,
        then the row is released, so that a successor takes over at its next look.
        """
        while True:
            if await self._acquire():
                self._log.info("lease_acquired", epoch=self.epoch)
                await self._hold(work)
            await asyncio.sleep(ids.jitter(_POLL_SECONDS))

    async def _acquire(self) -> bool:
        sent = monotonic()
        try:
            epoch = await self._ask(_ACQUIRE, self._life, self._ignored, timeout=self._trusted)
        except DATABASE_AWAY as error:
            self._log.warning("lease_not_reachable", error=repr(error))
            return self._ignored
        if epoch is None:
            return False
        self.epoch = epoch
        self._deadline = sent + self._trusted
        return self.held

    async def _hold(self, work: Work) -> None:
        working = asyncio.ensure_future(work(self))
        renewing = asyncio.create_task(self._renew(), name=f"lease {self.name}")
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Renewing goes on while the work ends: the row must not pass on before its last statement is done.
            cancelled = await _end(working)
            lost = renewing.done() or not self.held
            renewing.cancel()
            self._deadline = float("-inf")
            cancelled |= await _end(asyncio.create_task(self._release()), cancel=False)
            self._report(working, lost)
            if cancelled:
                raise asyncio.CancelledError

    def _report(self, working: "asyncio.Future[None]", lost: bool) -> None:
        error = None if working.cancelled() else working.exception()
        if lost or isinstance(error, LeaseLost):
            self._log.warning("lease_lost", epoch=self.epoch)
        if error is not None and not isinstance(error, LeaseLost):
            self._log.error("leased_work_failed", exc_info=error)

    async def _renew(self) -> None:
        """Returns when the lease is lost."""
        while True:
            await asyncio.sleep(self._renew_every)
            while not await self._renewed():
                if not self.held:
                    return
                await asyncio.sleep(self._renew_every / 10)

    async def _renewed(self) -> bool:
        sent = monotonic()
        remaining = self._deadline - sent
        if self._ignored or remaining <= 0:
            return self._ignored
        try:
            if await self._ask(_RENEW, self.epoch, self._life, timeout=remaining) is None:
                self._deadline = float("-inf")
                return False
        except DATABASE_AWAY as error:
            self._log.warning("lease_not_renewed", error=repr(error))
            return False
        if not self.held:  # frozen between question and answer; what was begun before must not go on as if not
            return False
        self._deadline = sent + self._trusted
        return True

    async def _release(self) -> None:
        try:
            await self._ask(_RELEASE, self.epoch, timeout=_RELEASE_SECONDS)
        except DATABASE_AWAY as error:
            self._log.warning("lease_not_released", error=repr(error))

    async def _ask(self, statement: str, *values: Any, timeout: float) -> Any:
        # A task of its own that is left behind on a timeout: giving a connection back to the pool waits for the
        # server, and a frozen server must not keep the holder from noticing that its time is over.
        asking = asyncio.create_task(self._pool.fetchval(statement, self.name, self.holder, *values))
        self._asking.add(asking)
        asking.add_done_callback(self._answered)
        try:
            await asyncio.wait({asking}, timeout=timeout)
        finally:
            if not asking.done():
                asking.cancel()
        if not asking.done():
            raise TimeoutError(f"no answer within {timeout:.1f} s")
        return asking.result()

    def _answered(self, asking: "asyncio.Task[Any]") -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # looked at, so that an answer nobody waits for any more is not reported


async def _end(task: "asyncio.Future[Any]", *, cancel: bool = True) -> bool:
    """Wait for the task's end whatever happens; returns whether the caller was cancelled meanwhile."""
    if cancel:
        task.cancel()
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
            task.cancel()
    return cancelled
