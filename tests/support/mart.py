"""The migrated mart in a database of its own, fed by hand: no bus, no other service."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from tests.support.servers import new_database

from opsledger_events import Envelope
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.store import EventStore
from reporting.projections.mart import SUBSCRIPTION

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@asynccontextmanager
async def mart(url: str, now: datetime = NOW) -> AsyncIterator[EventStore]:
    """The migrated mart in an empty database, with the BI login's role."""
    await create_reader(url)
    await migrate(
        url, [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("reporting", ("mart", "reporting"))], None
    )
    pool = await asyncpg.create_pool(
        url, min_size=1, max_size=2, server_settings={"search_path": "mart, reporting, es", "timezone": "UTC"}
    )
    try:
        yield EventStore("reporting", "test", pool, FixedClock(now))
    finally:
        await pool.close()


@asynccontextmanager
async def filled_mart(postgres_url: str, told: Sequence[Sequence[Envelope]]) -> AsyncIterator[str]:
    """URL of a mart that these batches filled, to be copied: filling takes longer than most tests do."""
    async with new_database(postgres_url) as url:
        async with mart(url) as store:
            await apply(store, told)
        yield url


async def create_reader(url: str) -> None:
    """The read-only login of BI tools, which whoever creates roles creates before a service migrates."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("create role bi_reader login")
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # roles are the server's, and another test has made it
    finally:
        await connection.close()


async def apply(store: EventStore, told: Sequence[Sequence[Envelope]]) -> None:
    """Hand batches to the subscription as its consumer would: one transaction each."""
    for batch in told:
        async with store.transaction() as transaction:
            await SUBSCRIPTION.handle(transaction, batch)
