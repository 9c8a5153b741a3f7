"""A stand-in for the relays: numbers events and puts them on the stream in the wire form, as tests want them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import asyncpg
import nats
from faststream.nats import NatsBroker
from nats.js import JetStreamContext

from opsledger_events import Envelope, event_class, subjects
from opsledger_runtime import ids, ledger
from opsledger_runtime.clock import Clock, SystemClock
from opsledger_runtime.lease import Lease
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.provision import provision
from opsledger_runtime.store import EventStore, Transaction
from opsledger_runtime.subscriptions import Subscriber, Subscription

NOTED = "incident.IncidentNoted.v1"
CLOSED = "incident.IncidentClosed.v1"
MET = "sla.SLAMet.v1"
START = datetime(2026, 3, 1, tzinfo=UTC)


def envelope(type_name: str, aggregate: str, sequence: int, data: Mapping[str, Any] | None = None) -> Envelope:
    """An event that is the same whenever it is made from the same arguments."""
    context = type_name.split(".")[0]
    at = START + timedelta(seconds=sequence)
    return Envelope(
        id=uuid5(NAMESPACE_URL, f"{context}/{sequence}/{aggregate}/{type_name}"),
        type=f"opsledger.{type_name}",
        source=f"/opsledger/test/{context}",
        subject=aggregate,
        time=at,
        recordedtime=at,
        aggregateversion=1,
        partitionkey=aggregate,
        correlationid="c",
        actor="test",
        data=dict(data) if data is not None else dict(event_class(type_name).example),
        sequence=sequence,
    )


class Bus:
    """Publishes as the relays of all contexts would. `sent` keeps every event by context in order."""

    def __init__(self, js: JetStreamContext) -> None:
        self.js = js
        self.sent: dict[str, list[Envelope]] = defaultdict(list)

    def make(self, type_name: str, aggregate: str, data: Mapping[str, Any] | None = None) -> Envelope:
        """The context's next event, numbered and remembered, not published."""
        sent = self.sent[type_name.split(".")[0]]
        sent.append(envelope(type_name, aggregate, len(sent) + 1, data))
        return sent[-1]

    async def publish(self, *events: Envelope) -> None:
        """Put events on the stream in this order."""
        for chunk in (events[i : i + 1000] for i in range(0, len(events), 1000)):
            waiting = [
                await self.js.publish_async(
                    subjects.event_subject(event.type, event.partitionkey), wire(event), headers=event.headers()
                )
                for event in chunk
            ]
            await asyncio.gather(*waiting)

    async def noted(self, count: int, aggregates: int = 7, context_type: str = NOTED) -> list[Envelope]:
        """Publish that many events over some aggregates."""
        made = [self.make(context_type, f"agg-{i % aggregates}") for i in range(count)]
        await self.publish(*made)
        return made


def wire(event: Envelope) -> bytes:
    """The bytes that a relay publishes."""
    assert event.sequence is not None
    sealed = ledger.seal(event, b"0" * 16)
    return ledger.wire(sealed.body, event.sequence)


class Tally:
    """A handler that counts every event and fails on demand; `table` is dirty evidence of doubles and losses."""

    def __init__(self) -> None:
        self.failing: dict[str, Exception] = {}
        self.batches: list[int] = []
        self.pause: asyncio.Event | None = None
        self.entered = asyncio.Event()

    async def __call__(self, transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
        self.batches.append(len(envelopes))
        await transaction.connection.execute(
            "insert into tally (context, sequence, aggregate, type)"
            " select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[])",
            [e.context for e in envelopes],
            [e.sequence for e in envelopes],
            [e.subject for e in envelopes],
            [e.type_name for e in envelopes],
        )
        self.entered.set()
        if self.pause is not None:
            await self.pause.wait()
        for event in envelopes:
            failure = self.failing.get(str(event.id))
            if failure is not None:
                raise failure


def subscription(
    handle: Any, *, name: str = "tally", contexts: tuple[str, ...] = ("incident",), reads: Sequence[str] = (NOTED,)
) -> Subscription:
    """A subscription of the tests' service `probe`."""
    return Subscription(name, 1, contexts, frozenset(reads), handle)


@asynccontextmanager
async def a_store(database: str, clock: Clock | None = None, *, size: int = 6) -> AsyncIterator[EventStore]:
    """A store of context `probe` with the runtime's tables and `tally`, where a double violates the primary key."""
    await migrate(database, [MigrationSet("opsledger_runtime", ("es",))], None)
    async with asyncpg.create_pool(
        database,
        min_size=1,
        max_size=size,
        server_settings={"search_path": "probe, es", "lock_timeout": "5s", "timezone": "UTC"},
    ) as pool:
        await pool.execute(
            "create schema if not exists probe; create table if not exists probe.tally"
            " (context text, sequence bigint, aggregate text, type text, primary key (context, sequence))"
        )
        yield EventStore("probe", "test", pool, clock or SystemClock())


@asynccontextmanager
async def a_bus(url: str, *subscriptions: Subscription) -> AsyncIterator[Bus]:
    """A provisioned stream and a publisher."""
    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_quiet)
    try:
        js = client.jetstream()
        await provision(js, {"probe": subscriptions})
        yield Bus(js)
    finally:
        await client.close()


@asynccontextmanager
async def a_broker(url: str) -> AsyncIterator[NatsBroker]:
    """A connected broker as a running service has one."""
    broker = NatsBroker(
        url,
        inbox_prefix="_INBOX_probe",
        logger=None,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,  # type: ignore[arg-type]  # seconds; nats-py takes fractions
        error_cb=_quiet,
    )
    await broker.connect()
    try:
        yield broker
    finally:
        await broker.stop()


@asynccontextmanager
async def subscribed(
    url: str, store: EventStore, found: Subscription, *, expires_after: float = 10.0
) -> AsyncIterator[Subscriber]:
    """One instance of a subscriber with a lease and a broker of its own, running."""
    async with a_broker(url) as broker:
        lease = Lease(
            store.pool, f"subscription:{found.name}", holder=ids.new_id(), renew_every=0.2, expires_after=expires_after
        )
        subscriber = Subscriber(found, store, broker, lease, "probe")
        async with working(subscriber):
            yield subscriber


@asynccontextmanager
async def working(worker: Any) -> AsyncIterator["asyncio.Task[None]"]:
    """A worker's `run` as a task, cancelled and awaited at the end; its failure fails the test."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError), result


async def tallied(store: EventStore, context: str = "incident") -> list[int]:
    """The sequences that the handler's transactions left, in order."""
    rows = await store.pool.fetch("select sequence from tally where context = $1 order by sequence", context)
    return [row["sequence"] for row in rows]


async def sequences(store: EventStore, name: str = "tally") -> dict[str, int]:
    """What the checkpoint says is applied."""
    found = await store.pool.fetchval("select sequences::text from es.checkpoint where subscription = $1", name)
    return dict(json.loads(found)) if found else {}


async def _quiet(_: Exception) -> None:
    """Servers are taken away on purpose."""
