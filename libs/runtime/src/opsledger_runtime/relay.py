"""The relay: numbers a context's events and publishes them in that order (D2), and announces how far it is (D10).

Two loops under one lease. Numbering knows only the database and goes on while the broker is away; publishing sends
what lies beyond the stream's position. Refuses to number or publish when the stream knows more than the store, or
before this process has ever compared the two; refuses to lead where the machine's clock is not the database's.
"""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import nats.errors
import structlog
from nats.aio.client import Client

from opsledger_events.envelope import format_instant
from opsledger_events.subjects import relay_subject
from opsledger_runtime import ids, numbering
from opsledger_runtime.clock import Clock, monotonic
from opsledger_runtime.kept import Kept
from opsledger_runtime.lease import DATABASE_AWAY, Lease, LeaseLost
from opsledger_runtime.pace import Pace
from opsledger_runtime.publishing import (
    NotOurs,
    Position,
    Publisher,
    Refused,
    Remembered,
)
from opsledger_runtime.waking import listen, notify, wait
from opsledger_runtime.wire import BrokerAway

_SAFETY_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.05
_RETRY_LIMIT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.005
_LOOK_LIMIT_SECONDS: Final = 0.1
_LEAST_SECONDS: Final = 0.0025
_MOST_SECONDS: Final = 0.006
"""From the beginning of one numbering to the next: who comes within it travels together."""
_ROOM_SECONDS: Final = 0.25
_HEARTBEAT_SECONDS: Final = 0.75
_HEARTBEAT_GAP_SECONDS: Final = 0.2
_JUMP_SECONDS: Final = 1.0
MARGIN_SECONDS: Final = 0.25
"""How far behind its clock a relay announces, since the clocks of the replicas that write differ (docs/adr/0006)."""

CLOCK_SECONDS: Final = MARGIN_SECONDS / 2
"""How far a machine's clock may be from the database's: two such clocks differ by no more than the margin."""


class Relay:
    """One context's relay in this process; it leads while it holds the lease and stands by otherwise.

    Plain attributes for metrics: `numbered`, `published`, `outbox`, `oldest_seconds` (domain time), `refusals` (how
    often the stream was elsewhere), `heartbeat` (the last announced domain time), `clock_off` (by how many seconds at
    least the machine's clock is ahead of the database's; negative: behind), `compared` (whether this process ever
    compared store and stream).
    """

    name = "relay"

    def __init__(
        self,
        context: str,
        pool: "asyncpg.Pool[asyncpg.Record]",
        nats: Client,
        clock: Clock,
        lease: Lease,
        *,
        dsn_for_listen: str | None = None,
        max_backlog: int = numbering.COUNTED,
    ) -> None:
        self.numbered = 0
        self.published = 0
        self.outbox = 0
        self.oldest_seconds = 0.0
        self.refusals = 0
        self.heartbeat: datetime | None = None
        self.clock_off = 0.0
        self.compared = False
        self.checked = asyncio.Event()
        """Set once the store was compared with the stream, or the broker was found to be away."""
        self._context = context
        self._pool = pool
        self._nats = nats
        self._clock = clock
        self._lease = lease
        self._dsn = dsn_for_listen
        self._counted = max_backlog + 1
        self._publisher = Publisher(context, nats)
        self._log = structlog.get_logger().bind(relay=context)
        self._leading = False
        self._connected = True
        self._trouble: str | None = None
        self._wake = asyncio.Event()
        self._tell = asyncio.Event()
        self._moved = asyncio.Event()
        self._reached = asyncio.Event()
        self._compared = asyncio.Event()
        self._pokes = 0
        self._answered_pokes = 0
        self._passes = 0
        self._numbering = asyncio.Lock()
        self._kept = Kept()

    # What others ask

    @property
    def state(self) -> str:
        """`standby`, `leading`, `disconnected`, `ahead` (the stream has more than the store) or `diverged`."""
        if self._trouble is not None:
            return self._trouble
        if not self._leading:
            return "standby"
        return "leading" if self._connected else "disconnected"

    @property
    def accepting(self) -> bool:
        """Whether commands may be taken.

        Not while the stream knows what the store does not (`opsledger recover`), nor before that could be seen.
        """
        return self.compared and self._trouble is None

    def status(self) -> dict[str, Any]:
        """Where it is; `outbox` counts what is not numbered, `oldest_seconds` is the age of what is not published."""
        waiting = self._leading and self._pokes > self._answered_pokes
        return {
            "state": self.state,
            "numbered": self.numbered,
            "published": self.published,
            "outbox": max(self.outbox, int(waiting)),
            "oldest_seconds": self.oldest_seconds,
        }

    def poke(self) -> None:
        """Say that events were appended in this process; from the event loop's own thread."""
        self._pokes += 1
        self._wake.set()
        if not self._leading:
            self._tell.set()

    async def number_of(self, event_id: UUID, timeout: float) -> int | None:
        """The event's publication number, waiting up to `timeout` seconds for it."""
        deadline = monotonic() + timeout
        pause = 0.002
        while True:
            no = await numbering.number_of(self._pool, event_id)
            remaining = deadline - monotonic()
            if no is not None or remaining <= 0:
                return no
            await asyncio.sleep(min(pause, remaining))
            pause = min(pause * 2, 0.05)

    async def run(self) -> None:
        """Lead whenever the lease can be had; wake the leader elsewhere; compare store and stream meanwhile."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(notify(self._pool, self._tell))
            group.create_task(self._lease.run(self._lead))

    # Leading

    async def _lead(self, lease: Lease) -> None:
        self._compared.clear()
        self._kept.forget()
        try:
            await self._count()
        except DATABASE_AWAY as error:
            raise LeaseLost(lease.name) from error
        self._check_clock()
        self._leading = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_numbering())
                group.create_task(self._keep_publishing())
                group.create_task(self._keep_announcing())
                if self._dsn is not None:
                    group.create_task(listen(self._dsn, self.poke))
        except BaseExceptionGroup as errors:
            if errors.subgroup(LeaseLost) is not None:
                raise LeaseLost(lease.name) from errors
            raise
        finally:
            self._leading = False

    async def _keep_numbering(self) -> None:
        await self._compared.wait()
        pace = Pace(_LEAST_SECONDS, _MOST_SECONDS)
        while True:
            self._wake.clear()
            pace.begin()
            try:
                await self._number()
                pace.end()
            except DATABASE_AWAY as error:
                self._log.warning("numbering_interrupted", error=repr(error))
                await asyncio.sleep(ids.jitter(_SAFETY_SECONDS))
            await wait(self._wake, _SAFETY_SECONDS)
            await pace.rest()

    async def _number(self) -> int | None:
        """Number all that is visible when called; the last number then, or None while the store must not go on."""
        async with self._numbering:
            more = True
            while more:
                if self._trouble is not None:
                    return None
                if self._connected:  # and no longer than a moment: numbering does not depend on publishing
                    await self._kept.room(_ROOM_SECONDS)
                pokes = self._pokes
                try:
                    async with self._pool.acquire() as connection:
                        more = self._numbered(await numbering.number(connection, self._lease, self.published))
                except numbering.Behind as error:  # the next comparison puts a name to it
                    self._log.error("store_lost_events", error=str(error))
                    return None
                except BaseException:
                    self._kept.forget()  # whether it was committed, and whether what is kept still is, is unknown
                    raise
            self.outbox = 0
            self._answered_pokes = pokes
            self._passes += 1
            return self.numbered

    def _numbered(self, found: numbering.Pass) -> bool:
        # Within the numbering, so that publishing begins before the connection is given back.
        self._kept.add(found.numbered)
        self.numbered = found.last
        if found.numbered:
            self._moved.set()
        return found.more

    async def _keep_publishing(self) -> None:
        position: Position | None = None
        compared = 0.0
        refused = away = 0
        while True:
            self._moved.clear()
            try:
                if position is None or monotonic() - compared > _SAFETY_SECONDS:
                    position = await self._compare()
                    compared = monotonic()
                    self._connected, away = True, 0
                    self._compared.set()
                behind = position is not None and position.no < self.numbered
                events = await self._kept.after(position.no, self._pool) if position is not None and behind else ()
                if position is not None and events:
                    if not self._lease.held:
                        raise LeaseLost(self._lease.name)
                    position = await self._publisher.publish(position, events)
                    self.published = position.no
                    self._reached.set()
                    refused = 0
                    continue
                pause = _SAFETY_SECONDS
            except Refused as error:
                self.refusals += 1
                self._kept.forget()
                self._log.warning("publication_refused", error=str(error), remembered=isinstance(error, Remembered))
                position, refused = None, refused + 1
                # Once is a change that reading the position explains; again and again is a stream that remembers
                # ids of messages which were deleted from it, until its duplicate window has passed.
                pause = _delay(refused - 2)
            except BrokerAway as error:
                if self._connected:
                    self._log.warning("broker_away", error=str(error))
                self._connected = False
                if self.compared:
                    self._compared.set()
                self.checked.set()
                position, away = None, away + 1
                await self._publisher.rest(_delay(away - 1))
                continue
            except DATABASE_AWAY as error:
                self._log.warning("publishing_interrupted", error=repr(error))
                self._kept.forget()
                position, pause = None, _SAFETY_SECONDS
            if position is not None or self._trouble is not None:
                await wait(self._moved, pause)
            else:
                await asyncio.sleep(pause)

    async def _compare(self) -> Position | None:
        """The stream's position, or None when the store must not go on; updates `state`."""
        there: Position | None
        try:
            there = await self._publisher.position()
        except NotOurs as error:
            there, trouble, detail = None, "diverged", str(error)
        else:
            # Read after the stream: whatever is there was numbered, and committed, before it was published.
            last, known = await numbering.known(self._pool, there.no)
            self.numbered = max(last, self.numbered) if self._leading else last
            trouble = "ahead" if there.no > last else "diverged" if there.no and known != there.hash else ""
            detail = f"the stream is at {there.no}, the store at {last}"
            if there.no < self.published and not trouble:
                self._log.warning("stream_lost_events", had=self.published, has=there.no)
            self.published = there.no
        if trouble and trouble != self._trouble:
            self._log.error("store_and_stream_disagree", state=trouble, detail=detail)
        elif self._trouble and not trouble:
            self._log.info("store_and_stream_agree_again")
            self._wake.set()
        self._trouble = trouble or None
        self.compared = True
        self.checked.set()
        return None if trouble else there

    # Announcing

    async def _keep_announcing(self) -> None:
        await self._compared.wait()
        while True:
            begun = monotonic()
            now = self._clock.now()
            self._reached.clear()
            try:
                await self._announce(now)
            except DATABASE_AWAY as error:
                self._log.warning("announcing_interrupted", error=repr(error))
            except nats.errors.Error:
                self._connected = self._nats.is_connected
            await asyncio.sleep(_HEARTBEAT_GAP_SECONDS)
            while monotonic() - begun < _HEARTBEAT_SECONDS and not self._reached.is_set():
                if self._clock.now() - now > timedelta(seconds=monotonic() - begun + _JUMP_SECONDS):
                    # The domain clock was moved: who waits for timers need not wait for the second to pass.
                    await asyncio.sleep(MARGIN_SECONDS)
                    break
                await wait(self._reached, _HEARTBEAT_GAP_SECONDS)

    async def _announce(self, now: datetime) -> None:
        """Say that every event recorded by a margin before `now` has a number up to `last` and is on the stream.

        A writer's transaction is known to the database before the writer reads the domain clock. So whoever recorded
        something that long ago has committed by now, or is among the transactions that are waited for here.
        """
        pause = _LOOK_SECONDS
        unfinished = await numbering.writers(self._pool)
        while unfinished:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LOOK_LIMIT_SECONDS)
            unfinished &= await numbering.writers(self._pool)
        last = await self._number()
        if last is None:
            return
        self._check_clock()
        while self.published < last or self.state != "leading":
            if self._trouble is not None:
                return
            await asyncio.sleep(_LOOK_SECONDS if self._connected else _LOOK_LIMIT_SECONDS)
        if not self._lease.held:
            raise LeaseLost(self._lease.name)
        time = now - timedelta(seconds=MARGIN_SECONDS)
        word = {"time": format_instant(time), "last": last}
        await self._nats.publish(relay_subject(self._context), json.dumps(word).encode())
        self.heartbeat = time

    async def _watch(self) -> None:
        while True:
            try:
                if not self._leading:
                    await self._compare()
            except BrokerAway:
                self.checked.set()
            except DATABASE_AWAY as error:
                self._log.warning("comparing_interrupted", error=repr(error))
            try:
                passes = self._passes
                found = await self._count()
                if passes == self._passes:  # else the count is older than what numbering found
                    self.outbox = found.outbox
                self.oldest_seconds = (
                    max(0.0, (self._clock.now() - found.oldest).total_seconds()) if found.oldest is not None else 0.0
                )
                if not self._leading:
                    self.numbered = found.numbered
            except DATABASE_AWAY as error:
                self._log.warning("counting_interrupted", error=repr(error))
            await asyncio.sleep(_SAFETY_SECONDS)

    async def _count(self) -> numbering.Backlog:
        found = await numbering.backlog(self._pool, self.published, self._counted)
        if abs(found.clock_off) > CLOCK_SECONDS >= abs(self.clock_off):
            self._log.error("clock_differs_from_database", seconds=found.clock_off, limit=CLOCK_SECONDS)
        self.clock_off = found.clock_off
        return found

    def _check_clock(self) -> None:
        if abs(self.clock_off) > CLOCK_SECONDS:
            raise LeaseLost(f"{self._lease.name}: the clock is off by {self.clock_off:.3f} s")


def _delay(failures: int) -> float:
    """Growing with each failure in a row; none before the first."""
    return ids.jitter(min(_RETRY_LIMIT_SECONDS, _RETRY_SECONDS * 2.0 ** min(failures, 10))) if failures >= 0 else 0.0
