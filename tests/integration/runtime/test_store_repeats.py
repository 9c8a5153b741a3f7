"""What a store does with a command id that was used before, with a broken transaction, and with what is loaded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.support.bus import a_store

from opsledger_events import Event
from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime import ids
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import Invalid, VersionConflict
from opsledger_runtime.store import EventStore, Metadata, NotCommitted
from opsledger_runtime.transient import is_transient


def decide(command: str, state: int) -> list[Event]:
    return [IncidentNoted(text=command)]


NOTES: Decider[str, int] = Decider(decide, lambda state, event: state + 1, 0)


@pytest.fixture
async def store(database: str) -> AsyncIterator[EventStore]:
    async with a_store(database, size=4) as found:
        yield found


def metadata() -> Metadata:
    return Metadata(command_id=ids.new_id(), actor="person-1")


async def test_a_commit_that_the_database_made_a_rollback_is_no_success(store: EventStore) -> None:
    poked: list[int] = []
    store.on_append = lambda: poked.append(1)

    async def swallows(tx: Any) -> None:
        await tx.execute(NOTES, "a", "x", metadata())
        await tx.flush()
        with contextlib.suppress(asyncpg.PostgresError):
            await tx.connection.execute("select 1/0")

    with pytest.raises(NotCommitted) as failed:
        await store.run(swallows)
    assert not is_transient(failed.value)
    assert await store.history("a") == []
    assert poked == []


async def test_a_command_id_that_acted_on_another_aggregate_is_refused_for_good(store: EventStore) -> None:
    same = metadata()
    await store.run(lambda tx: tx.execute(NOTES, "a", "x", same))
    with pytest.raises(Invalid) as refused:
        await store.run(lambda tx: tx.execute(NOTES, "b", "x", same))
    assert refused.value.code == "idempotency_key_reused"
    assert not is_transient(refused.value)
    assert await store.history("b") == []


async def test_a_refused_reuse_leaves_nothing_behind_though_the_caller_goes_on(store: EventStore) -> None:
    same = metadata()
    await store.run(lambda tx: tx.execute(NOTES, "a", "x", same))

    async def goes_on(tx: Any) -> None:
        await tx.execute(NOTES, "b", "x", same)
        with pytest.raises(Invalid):
            await tx.flush()
        await tx.execute(NOTES, "c", "y", metadata())

    with pytest.raises(Invalid) as refused:
        await store.run(goes_on)
    assert refused.value.code == "idempotency_key_reused"
    assert await store.history("b") == await store.history("c") == []
    assert await store.pool.fetchval("select count(*) from es.outbox") == 1


async def test_the_same_command_id_at_once_on_two_aggregates_acts_on_one(store: EventStore) -> None:
    same = metadata()

    async def acts(aggregate: str) -> None:
        await store.run(lambda tx: tx.execute(NOTES, aggregate, "x", same))

    found = await asyncio.gather(acts("a"), acts("b"), return_exceptions=True)
    refused = [error for error in found if isinstance(error, Invalid)]
    assert [error.code for error in refused] == ["idempotency_key_reused"]
    assert len(await store.history("a")) + len(await store.history("b")) == 1


async def test_what_the_caller_loaded_is_not_loaded_again(store: EventStore) -> None:
    await store.run(lambda tx: tx.execute(NOTES, "a", "x", metadata()))
    queries: list[str] = []

    async def work(tx: Any) -> None:
        loaded = await tx.load(NOTES, "a")
        with tx.connection.query_logger(lambda query: queries.append(query.query)):
            await tx.execute(NOTES, "a", "y", metadata(), loaded=loaded)

    await store.run(work)
    assert len(await store.history("a")) == 2
    assert not [query for query in queries if query.startswith("select body")]


async def test_something_loaded_before_another_append_is_a_conflict(store: EventStore) -> None:
    async def work(tx: Any) -> None:
        loaded = await tx.load(NOTES, "a")
        await tx.execute(NOTES, "a", "x", metadata())
        await tx.execute(NOTES, "a", "y", metadata(), loaded=loaded)

    with pytest.raises(VersionConflict):
        await store.run(work, retry=False)
