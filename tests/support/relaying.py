"""What the tests of the relay share: a store with events, a NATS server to hurt, the check of what was published."""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy, RetentionPolicy, StreamConfig

from opsledger_events.contexts.incident import IncidentNoted
from opsledger_events.subjects import ALL_EVENTS, STREAM, context_subjects, event_subject
from opsledger_runtime import ids, ledger
from opsledger_runtime.clock import Clock, SystemClock
from opsledger_runtime.decider import Decider
from opsledger_runtime.lease import Lease
from opsledger_runtime.relay import Relay
from opsledger_runtime.store import EventStore, Loaded, Metadata

CONTEXT = "incident"
NOTES: Decider[None, None] = Decider(lambda _command, _state: [], lambda _state, _event: None, None)


class NatsToHurt:
    """A NATS server of one test's own, which may be killed and started again on the same port and disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start and wait until it takes connections."""
        beside = Path(sys.executable).parent / "nats-server"
        program = str(beside) if beside.exists() else shutil.which("nats-server")
        assert program, "no nats-server beside the interpreter or on the path"
        self._process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes a moment only
            [program, "-js", "-sd", str(self.folder), "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("nats-server did not start")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


async def connect(url: str) -> Client:
    """A client that reconnects for ever, as the services' do."""

    async def quiet(_: Exception) -> None:
        return

    return await nats.connect(
        url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, allow_reconnect=True, error_cb=quiet
    )


async def make_stream(client: Client, *, duplicate_seconds: float = 120.0) -> None:
    """The stream as it is provisioned, afresh."""
    js = client.jetstream()
    with suppress(nats.js.errors.NotFoundError):
        await js.delete_stream(STREAM)
    await js.add_stream(
        StreamConfig(
            name=STREAM,
            subjects=[ALL_EVENTS],
            retention=RetentionPolicy.LIMITS,
            allow_atomic=True,
            allow_direct=True,
            duplicate_window=duplicate_seconds,
        )
    )


@asynccontextmanager
async def event_database(url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """A pool on a database with the runtime's tables."""
    connection = await asyncpg.connect(url)
    await connection.execute("create schema if not exists es")
    script = files("opsledger_runtime") / "migrations" / "0001_event_store.sql"
    await connection.execute(script.read_text(encoding="utf-8"))
    await connection.close()
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=10,
        server_settings={"idle_in_transaction_session_timeout": "10s", "lock_timeout": "5s"},
    )
    try:
        yield pool
    finally:
        pool.terminate()


def event_store(pool: "asyncpg.Pool[asyncpg.Record]", *relays: Relay, clock: Clock | None = None) -> EventStore:
    """A store that wakes these relays."""

    def wake() -> None:
        for relay in relays:
            relay.poke()

    return EventStore(CONTEXT, "test", pool, clock or SystemClock(), on_append=wake)


async def append(store: EventStore, count: int = 1, *, text: str = "备注 noted") -> list[str]:
    """Append `count` events of a fresh aggregate in one transaction; returns their ids."""
    aggregate = str(ids.new_id())
    events = [IncidentNoted(text=f"{text} {index}") for index in range(count)]
    async with store.transaction() as transaction:
        metadata = Metadata(command_id=ids.new_id(), actor="person-1", organisation="acme")
        appended = transaction.append(NOTES, aggregate, Loaded(None), events, metadata)
    return [str(envelope.id) for envelope in appended]


def relay_on(
    pool: "asyncpg.Pool[asyncpg.Record]",
    client: Client,
    *,
    clock: Clock | None = None,
    dsn: str | None = None,
    **lease: Any,
) -> Relay:
    """A relay with a holder of its own."""
    seat = Lease(pool, "relay", holder=ids.new_id(), **lease)
    return Relay(CONTEXT, pool, client, clock or SystemClock(), seat, dsn_for_listen=dsn)


@asynccontextmanager
async def running(*workers: Any) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run workers; cancel them and wait for their end. A worker that ends by itself fails the test."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield tasks
    finally:
        early = [task for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not early, early


async def on_stream(client: Client) -> list[tuple[str, bytes, dict[str, str]]]:
    """Every message of the context on the stream, in order: subject, data, headers."""
    js = client.jetstream()
    try:
        last = (await js.get_last_msg(STREAM, context_subjects(CONTEXT))).seq
    except nats.js.errors.NotFoundError:
        return []
    found: list[tuple[str, bytes, dict[str, str]]] = []
    done = asyncio.Event()

    async def take(message: Msg) -> None:
        found.append((message.subject, message.data, dict(message.headers or {})))
        if message.metadata.sequence.stream == last:
            done.set()

    subscription = await js.subscribe(
        context_subjects(CONTEXT), cb=take, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
    )
    try:
        await asyncio.wait_for(done.wait(), 60)
    finally:
        await subscription.unsubscribe()
    return found


async def assert_whole(pool: "asyncpg.Pool[asyncpg.Record]", client: Client, count: int) -> None:
    """The stream holds exactly 1..count, byte for byte what the store holds, and the chain is whole."""
    rows = await pool.fetch(
        "select p.no, p.prevhash, p.hash, e.id, e.body, e.salt, e.digest from es.publication p"
        " join es.event e on e.id = p.event order by p.no"
    )
    assert [row["no"] for row in rows] == list(range(1, count + 1))
    assert await pool.fetchval("select count(*) from es.event") == count
    previous = ledger.GENESIS
    for row in rows:
        assert row["prevhash"] == previous
        assert ledger.digest_of(row["body"], row["salt"]) == row["digest"]
        previous = ledger.chain(previous, row["no"], row["digest"])
        assert row["hash"] == previous
    messages = await on_stream(client)
    assert len(messages) == count
    for row, (subject, data, headers) in zip(rows, messages, strict=True):
        assert data == ledger.wire(row["body"], row["no"])
        assert headers["Nats-Msg-Id"] == str(row["id"])
        assert headers["Opsledger-Hash"] == row["hash"].hex()
        assert headers["Opsledger-Salt"] == row["salt"].hex()
        assert headers["Content-Type"] == "application/cloudevents+json"
        assert subject.startswith(event_subject(headers["ce-type"], "").rsplit(".", 1)[0])


async def published(relay: Relay, no: int) -> bool:
    """A condition to wait on."""
    return relay.published >= no


async def numbered(pool: "asyncpg.Pool[asyncpg.Record]", no: int) -> bool:
    """Whether the store has numbered up to `no`."""
    return bool(await pool.fetchval("select max(no) = $1 from es.publication", no))


async def published_by_any(no: int, *relays: Relay) -> bool:
    """Whether one of the relays has published up to `no`."""
    return any(relay.published >= no for relay in relays)
