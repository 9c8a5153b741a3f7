"""Timers are rows with a due instant, derived from events and re-derivable (D10).

Owns `es.timer` and the one worker that fires what is due, in due order, each firing in the transaction that deletes
its row. Refuses to fire a timer before the contexts it waits for are known to be read beyond its due instant.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Protocol

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from opsledger_runtime import ids
from opsledger_runtime.caught_up import Applied, CaughtUp, Horizon, Marks
from opsledger_runtime.clock import monotonic
from opsledger_runtime.faults import describe, whereabouts
from opsledger_runtime.lease import Lease, LeaseLost
from opsledger_runtime.store import EventStore, Transaction
from opsledger_runtime.transient import is_transient

BATCH: Final = 200
"""Most timers fired in one transaction."""

_TICK_SECONDS: Final = 0.25
"""How often the domain clock is looked at: a test may move it."""

_LOOK_SECONDS: Final = 1.0
"""How often the table is read though nothing is known to be due: another process may have set a timer."""

_WAITING_SECONDS: Final = 0.1
"""How often a due timer asks whether the subscriptions have caught up."""

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 60.0

_MOST_RESTING: Final = 10_000
"""Failing timers that are passed over; where there are more, no other is at fault and the queue waits."""

_FIRED: Final = Counter("opsledger_timer_fired", "Timers fired", ("service", "queue", "provisional"))
_FAILED: Final = Counter("opsledger_timer_failed", "Firings that failed and will be tried again", ("service", "queue"))
_LATE: Final = Histogram(
    "opsledger_timer_late_seconds",
    "Domain time between the due instant and the firing",
    ("service", "queue"),
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 5, 10, 60, 300, 3600),
)

_SET: ContextVar[bool] = ContextVar("opsledger_timer_set", default=False)

SOONEST: Final = """
select queue, (
         select t.due from es.timer t
          where t.queue = asked.queue and (t.queue, t.key) not in (select * from unnest($2::text[], $3::text[]))
          order by t.due limit 1) as due
  from unnest($1::text[]) as asked (queue)
"""
"""The soonest due instant of each queue, by the index; resting timers are left out."""

_DUE: Final = """
select t.queue, t.key, t.due, t.xmin::text as version from es.timer t
  join unnest($1::text[], $2::timestamptz[]) as ready (queue, until) on t.queue = ready.queue and t.due <= ready.until
 where not exists (select 1 from unnest($3::text[], $4::text[]) as resting (queue, key)
                    where resting.queue = t.queue and resting.key = t.key)
 order by t.due, t.key, t.queue limit $5
"""

_FIRED_ROWS: Final = """
delete from es.timer t using unnest($1::text[], $2::text[], $3::text[]) as fired (queue, key, version)
 where t.queue = fired.queue and t.key = fired.key and t.xmin::text = fired.version
"""
# Rows are not locked before they fire: whoever appends events locks timers last, and so does the worker, or the two
# would wait for each other. Nobody else fires meanwhile, since the lease is guarded in the transaction. A row that was
# set anew, by the firing or by somebody else, is another version and stays.


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose instant has come. `provisional`: the contexts it waits for were silent too long to be sure."""

    key: str
    due: datetime
    provisional: bool


@dataclass(frozen=True, slots=True)
class TimerQueue:
    """A kind of timer. It fires only when `waits_for` contexts are known to be caught up beyond the due instant.

    `fire` gets timers in order of due instant and key. It runs in the transaction that deletes their rows, and may set
    them anew; after a failure it is called again for each alone, in another transaction.
    """

    name: str
    fire: Callable[[Transaction, Sequence[Due]], Awaitable[None]]
    waits_for: tuple[str, ...] = ()


class _Guard(Protocol):
    async def guard(self, connection: Any) -> None: ...


async def schedule(connection: Any, queue: str, timers: Mapping[str, datetime]) -> None:
    """Set or move timers, each key to its due instant, in the caller's transaction.

    Raises:
        ValueError: an instant has no offset.
    """
    if not timers:
        return
    if any(due.tzinfo is None for due in timers.values()):
        raise ValueError("a due instant needs an offset")
    keys = sorted(timers)  # one order of locking for everybody
    await connection.execute(
        "insert into es.timer (queue, key, due) select $1, key, due from unnest($2::text[], $3::timestamptz[])"
        " as new (key, due) on conflict (queue, key) do update set due = excluded.due",
        queue,
        keys,
        [timers[key] for key in keys],
    )
    _SET.set(True)


def was_set() -> bool:
    """Whether the running task has set a timer since it last asked: after its commit the worker has to look.

    Kept by task, since a transaction is one task's and another's commit says nothing about it. A timer set in a child
    task is not noticed here; the worker looks by itself within a second.
    """
    found = _SET.get()
    if found:
        _SET.set(False)
    return found


async def cancel(connection: Any, queue: str, keys: Sequence[str]) -> None:
    """Forget timers, in the caller's transaction."""
    if keys:
        await connection.execute("delete from es.timer where queue = $1 and key = any($2::text[])", queue, keys)


class TimerWorker:
    """Fires a service's timers; one process of a service leads. `silence_seconds` is machine time (D10: 5 minutes)."""

    name = "timers"

    def __init__(
        self,
        queues: Sequence[TimerQueue],
        store: EventStore,
        watermarks: Marks,
        lease: Lease,
        applied: Callable[[], Awaitable[Applied]],
        *,
        silence_seconds: float = 300.0,
    ) -> None:
        self._queues = {queue.name: queue for queue in queues}
        self._store = store
        self._lease = lease
        self._poked = asyncio.Event()
        self._caught_up = CaughtUp(watermarks, applied, silence_seconds)
        self._resting: dict[tuple[str, str], tuple[float, float]] = {}
        self._log = structlog.get_logger().bind(service=store.context)

    def poke(self) -> None:
        """Timers may have been set or moved in this process."""
        self._poked.set()

    async def status(self) -> list[dict[str, Any]]:
        """How many timers each queue holds, and the soonest due instant in RFC 3339 or None."""
        rows = await self._store.pool.fetch("select queue, count(*) as count, min(due) as due from es.timer group by 1")
        found = {row["queue"]: row for row in rows}
        return [
            {
                "queue": name,
                "count": found[name]["count"] if name in found else 0,
                "next_due": found[name]["due"].isoformat() if name in found else None,
            }
            for name in self._queues
        ]

    async def run(self) -> None:
        """Work whenever the lease is held; returns only when cancelled, the running transaction whole or undone."""
        await self._lease.run(self._lead)

    async def _lead(self, lease: Lease) -> None:
        delay = _FIRST_DELAY
        self._caught_up.begin()
        while True:
            self._poked.clear()
            try:
                soonest = await self._turn(lease)
                delay = _FIRST_DELAY
            except LeaseLost:
                raise
            except Exception as error:
                if not is_transient(error):
                    raise
                self._log.warning("timers_blocked", error=describe(error))
                await asyncio.sleep(ids.jitter(delay))
                delay = min(delay * 2, 5.0)
                continue
            await self._sleep(soonest)

    async def _turn(self, lease: _Guard) -> datetime | None:
        """Fire all that may fire; returns the soonest due instant that is left."""
        while True:
            resting = self._now_resting()
            rows = await self._store.pool.fetch(SOONEST, list(self._queues), *_columns(resting))
            now = self._store.clock.now()
            soonest: dict[str, datetime] = {row["queue"]: row["due"] for row in rows if row["due"] is not None}
            contexts = {c for name, due in soonest.items() if due <= now for c in self._queues[name].waits_for}
            horizon = await self._caught_up.look(contexts) if contexts else Horizon({}, frozenset())
            ready = {
                name: min(now, horizon.until(self._queues[name].waits_for, now))
                for name, due in soonest.items()
                if due <= horizon.until(self._queues[name].waits_for, now)
            }
            if not ready or await self._fire(ready, horizon, lease, resting) == 0:
                return min(soonest.values(), default=None)

    def _now_resting(self) -> list[tuple[str, str]]:
        """Timers that failed a short while ago; one whose rest is long over was cancelled, and is forgotten."""
        moment = monotonic()
        for key in [key for key, (until, _) in self._resting.items() if until + _LONGEST_DELAY < moment]:
            del self._resting[key]
        return [key for key, (until, _) in self._resting.items() if until > moment]

    async def _fire(
        self, ready: dict[str, datetime], horizon: Horizon, lease: _Guard, resting: list[tuple[str, str]]
    ) -> int:
        try:
            return await self._transaction(ready, horizon, lease, resting, BATCH)
        except LeaseLost:
            raise
        except Exception as error:
            self._log.info("timers_fired_one_by_one", error=describe(error))
        fired = 0
        while len(resting) < _MOST_RESTING and await self._one(ready, horizon, lease, resting):
            fired += 1
        return fired

    async def _one(
        self, ready: dict[str, datetime], horizon: Horizon, lease: _Guard, resting: list[tuple[str, str]]
    ) -> bool:
        """Fire the next one alone; a failing one rests for a while, so that it does not hold up the others."""
        taken: list[tuple[str, str]] = []
        try:
            return await self._transaction(ready, horizon, lease, resting, 1, taken) > 0
        except LeaseLost:
            raise
        except Exception as error:
            if not taken or _database_away(error):
                raise
            queue, key = taken[0]
            delay = min(self._resting.get(taken[0], (0.0, _FIRST_DELAY / 2))[1] * 2, _LONGEST_DELAY)
            self._resting[taken[0]] = (monotonic() + delay, delay)
            resting.append(taken[0])
            _FAILED.labels(self._store.context, queue).inc()
            self._log.error(
                "timer_failed",
                queue=queue,
                key=key,
                again_in_seconds=delay,
                error=describe(error),
                where=whereabouts(error),
            )
            return True

    async def _transaction(
        self,
        ready: dict[str, datetime],
        horizon: Horizon,
        lease: _Guard,
        resting: list[tuple[str, str]],
        limit: int,
        taken: list[tuple[str, str]] | None = None,
    ) -> int:
        async with self._store.transaction() as transaction:
            await lease.guard(transaction.connection)
            rows = await transaction.connection.fetch(
                _DUE,
                list(ready),
                list(ready.values()),
                *_columns(resting),
                limit,
            )
            if taken is not None:
                taken.extend((row["queue"], row["key"]) for row in rows)
            provisional = [horizon.provisional(self._queues[row["queue"]].waits_for, row["due"]) for row in rows]
            for queue, found in groupby(zip(rows, provisional, strict=True), lambda pair: pair[0]["queue"]):
                timers = [Due(row["key"], row["due"], unsure) for row, unsure in found]
                await self._queues[queue].fire(transaction, timers)
            await transaction.flush()
            await transaction.connection.execute(
                _FIRED_ROWS,
                [row["queue"] for row in rows],
                [row["key"] for row in rows],
                [row["version"] for row in rows],
            )
        for row, unsure in zip(rows, provisional, strict=True):
            self._resting.pop((row["queue"], row["key"]), None)
            _FIRED.labels(self._store.context, row["queue"], str(unsure).lower()).inc()
            late = (transaction.now - row["due"]).total_seconds()
            _LATE.labels(self._store.context, row["queue"]).observe(max(late, 0.0))
        return len(rows)

    async def _sleep(self, soonest: datetime | None) -> None:
        """Until the next due instant by the domain clock, a poke, or the next look at the table."""
        clock = self._store.clock
        end = monotonic() + _LOOK_SECONDS
        waiting = soonest is not None and soonest <= clock.now()
        if waiting:
            end = monotonic() + _WAITING_SECONDS
        while (left := end - monotonic()) > 0:
            if not waiting and soonest is not None:
                until = (soonest - clock.now()).total_seconds()
                if until <= 0:
                    return
                left = min(left, until)
            try:
                async with asyncio.timeout(min(left, _TICK_SECONDS)):  # wait_for of 3.11 can lose a cancellation
                    await self._poked.wait()
            except TimeoutError:
                continue
            return


def _columns(keys: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [queue for queue, _ in keys], [key for _, key in keys]


def _database_away(error: BaseException) -> bool:
    """Whether the database itself is the trouble, which no other timer would escape either."""
    if not isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return False
    state = getattr(error, "sqlstate", None) or ""
    return is_transient(error) and state[:2] not in ("40", "55")
