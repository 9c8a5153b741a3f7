"""One instance of a service in this process: its connections, its workers, and the order in which they stop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import asyncpg
import nats
import nats.errors
import structlog
from faststream.nats import NatsBroker
from faststream.nats.security import NatsUserPassword
from nats.aio.client import Client

from opsledger_runtime import ids, timers
from opsledger_runtime.auth import TokenVerifier, read_jwks
from opsledger_runtime.caught_up import Applied
from opsledger_runtime.clock import Clock, OffsetClock, SystemClock
from opsledger_runtime.http import Doors
from opsledger_runtime.lease import Lease
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.relay import Relay
from opsledger_runtime.service import Service, Worker
from opsledger_runtime.settings import Settings
from opsledger_runtime.store import EventStore
from opsledger_runtime.subscriptions import Subscriber, checkpoint
from opsledger_runtime.timers import TimerWorker
from opsledger_runtime.watermarks import Watermarks

_RESTART_SECONDS = 1.0
_CANCEL_AGAIN_SECONDS = 8.0  # longer than any worker may take to end in order
_CHECK_SECONDS = 5.0
_KEEPERS = 3
_STATEMENT_SECONDS = 30.0
"""A frozen database must not hold a command for ever."""


class Running:
    """A started service. Made by `start`; everything in it lives until the context ends."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        pool: "asyncpg.Pool[asyncpg.Record]",
        keeper: "asyncpg.Pool[asyncpg.Record]",
        connection: Client,
        broker: NatsBroker,
    ) -> None:
        self.service = service
        self.context = service.context
        self.settings = settings
        self.pool = pool
        self.keeper = keeper
        """Connections of their own for leases and readiness: a rush of queries must not cost the leadership."""
        self.nats = connection
        self.broker = broker
        self.clock: Clock = OffsetClock(settings.clock_file) if settings.clock_file else SystemClock()
        self.log = structlog.get_logger().bind(service=service.context)
        self.holder: UUID = ids.new_id()
        self.draining = False
        self.relay = Relay(
            self.context,
            pool,
            connection,
            self.clock,
            self._lease("relay"),
            dsn_for_listen=settings.database_url,
            max_backlog=settings.max_backlog,
        )
        self.watermarks = Watermarks(connection)
        self.store = EventStore(self.context, settings.installation, pool, self.clock, service.inline, self._appended)
        self.subscribers = [
            Subscriber(subscription, self.store, broker, self._lease(f"subscription:{subscription.name}"), self.context)
            for subscription in service.subscriptions
        ]
        self.timer_worker = TimerWorker(
            service.timers, self.store, self.watermarks, self._lease("timers"), self.applied
        )
        self.verifier = TokenVerifier(read_jwks(settings.jwks_file), settings.token_issuer, settings.token_audience)
        self.doors = Doors(self)
        self.workers: list[Worker] = [make(self) for make in service.workers]

    def _lease(self, name: str) -> Lease:
        return Lease(self.keeper, name, holder=self.holder)

    def _appended(self) -> None:
        self.relay.poke()
        if timers.was_set():
            self.timer_worker.poke()

    async def applied(self) -> Applied:
        """The last publication number that every subscription of a context has applied, and what is parked."""
        return await checkpoint.applied(self.pool, self.service.subscriptions)

    async def status(self) -> dict[str, Any]:
        """What an operator asks first: how far everything is."""
        return {
            "context": self.context,
            "now": self.clock.now().isoformat(),
            "relay": self.relay.status(),
            "subscriptions": [await subscriber.status() for subscriber in self.subscribers],
            "timers": await self.timer_worker.status() if self.service.timers else [],
            "draining": self.draining,
        }


@asynccontextmanager
async def start(service: Service, settings: Settings) -> AsyncIterator[Running]:
    """Connect, migrate if an owner's URL is given, seed, run the workers; stop them in reverse order.

    Raises:
        MigrationError: the schema cannot be brought up to date.
        OSError, asyncpg.PostgresError, nats.errors.Error: a server cannot be reached.
    """
    schemas = service.schemas or (service.context,)
    if settings.owner_database_url is not None:
        await migrate(
            settings.owner_database_url,
            [MigrationSet("opsledger_runtime", ("es",)), MigrationSet(service.context, schemas)],
            application_role(settings.database_url),
        )
    async with AsyncExitStack() as stack:
        keeper = await _pool(settings, schemas, 1, _KEEPERS)
        stack.push_async_callback(_close_pool, keeper)
        pool = await _pool(settings, schemas, 2, settings.pool_size)
        stack.push_async_callback(_close_pool, pool)
        inbox = f"_INBOX_{service.context}"
        options: dict[str, Any] = {
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.2,
            "allow_reconnect": True,
            "error_cb": _log_nats_error,
        }
        user, password = settings.nats_user, settings.nats_password
        connection = await nats.connect(
            settings.nats_url, inbox_prefix=inbox.encode(), user=user, password=password, **options
        )
        stack.push_async_callback(_close_nats, connection)
        security = NatsUserPassword(user, password) if user and password else None
        broker = NatsBroker(settings.nats_url, inbox_prefix=inbox.encode(), security=security, **options, logger=None)
        stack.push_async_callback(_stop_broker, broker, await broker.connect())
        running = Running(service, settings, pool, keeper, connection, broker)
        if service.seed is not None:
            await service.seed(running)
        workers: list[Worker] = [running.relay, running.watermarks, *running.subscribers, *running.workers]
        if service.timers:
            workers.append(running.timer_worker)
        tasks = [
            asyncio.create_task(_supervise(worker, running), name=f"{service.context}:{worker.name}")
            for worker in workers
        ]
        try:
            await _checked(running)
            yield running
        finally:
            running.draining = True
            await _end(tasks)


async def _pool(settings: Settings, schemas: Sequence[str], least: int, most: int) -> "asyncpg.Pool[asyncpg.Record]":
    return await asyncpg.create_pool(
        settings.database_url,
        min_size=least,
        max_size=most,
        reset=_keep_session,
        command_timeout=_STATEMENT_SECONDS,
        server_settings={
            "search_path": ", ".join((*schemas, "es")),
            "application_name": f"opsledger {settings.context}",
            "idle_in_transaction_session_timeout": "10s",
            "lock_timeout": "5s",
            "timezone": "UTC",
        },
    )


async def _keep_session(connection: Any) -> None:
    """No session state is ever set on a pooled connection, so resetting it would be a round trip for nothing."""


def application_role(url: str) -> str | None:
    """The role that a database URL logs in as."""
    user = urlsplit(url).username
    return unquote(user) if user else None


async def _checked(running: Running) -> None:
    """Wait, within limits, until the relay knows whether the store is as new as the stream: before that no command."""
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await running.relay.checked.wait()
    except TimeoutError:
        running.log.warning("store_not_compared_with_stream_yet", seconds=_CHECK_SECONDS)


async def _supervise(worker: Worker, running: Running) -> None:
    """A worker reconnects by itself; whatever it did not foresee is logged and the worker is started again."""
    while True:
        try:
            await worker.run()
        except asyncio.CancelledError:
            raise
        except Exception:
            running.log.exception("worker_failed", worker=worker.name)
        await asyncio.sleep(_RESTART_SECONDS)


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    """Cancel, and cancel again what goes on: `wait_for` of Python 3.11 loses a cancellation that meets its result."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)


async def _close_pool(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await _within(pool.close(), 5.0)
    pool.terminate()


async def _close_nats(connection: Client) -> None:
    await _within(connection.close(), 5.0)


async def _stop_broker(broker: NatsBroker, connection: Client) -> None:
    """Closed before the broker would drain it: nothing is under way any more, and a server may be away."""
    await _close_nats(connection)
    with suppress(nats.errors.Error):
        await broker.stop()


async def _within(work: Coroutine[Any, Any, None], seconds: float) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except Exception:
        structlog.get_logger().warning("close_took_too_long", seconds=seconds)


async def _log_nats_error(error: Exception) -> None:
    structlog.get_logger().warning("nats_error", error=repr(error))
