"""A transaction as a unit of work: what it loaded it knows, what it appended is written together, in order."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.support.bus import a_store

from opsledger_events import Envelope
from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime import ids
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import Invalid, VersionConflict
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import EventStore, Metadata, Transaction

NOTES: Decider[str, tuple[str, ...]] = Decider(
    lambda text, _: [IncidentNoted(text=text)],
    lambda state, event: (*state, event.text),
    (),  # type: ignore[attr-defined]
)
READS = frozenset({IncidentNoted.type_name})


@pytest.fixture
async def store(database: str) -> AsyncIterator[EventStore]:
    async with a_store(database, size=4) as found:
        yield found


def metadata() -> Metadata:
    return Metadata(command_id=ids.new_id(), actor="person-1")


async def write(tx: Transaction, aggregate: str, text: str) -> list[Envelope]:
    return await tx.execute(NOTES, aggregate, text, metadata())


async def test_what_was_appended_is_known_before_it_is_written(store: EventStore) -> None:
    async def work(tx: Transaction) -> None:
        await write(tx, "a", "1")
        assert (await tx.load(NOTES, "a")).state == ("1",)
        await write(tx, "a", "2")
        assert await store.history("a", connection=tx.connection) == []

    await store.run(work)
    assert [(e.aggregateversion, e.data["text"]) for e in await store.history("a")] == [(1, "1"), (2, "2")]


async def test_many_aggregates_are_read_and_written_with_one_statement_each(store: EventStore) -> None:
    applied: list[int] = []

    async def apply(_: Any, envelopes: Any) -> None:
        applied.append(len(envelopes))

    store.inline = (Projection("seen", 1, READS, (), apply),)
    names = [f"a{n}" for n in range(20)]
    await store.run(lambda tx: write(tx, "a3", "before"))
    queries: list[str] = []

    async def work(tx: Transaction) -> None:
        with tx.connection.query_logger(lambda query: queries.append(query.query)):
            loaded = await tx.load_many(NOTES, names)
            assert {name for name in names if loaded[name].version} == {"a3"}
            for name in names:
                await write(tx, name, "now")
            await tx.flush()

    await store.run(work)
    assert len(queries) == 2
    assert applied == [1, 20]
    assert [len(await store.history(name)) for name in names] == [2 if name == "a3" else 1 for name in names]


async def test_the_outbox_keeps_the_order_of_appending_whatever_the_aggregates_are_called(store: EventStore) -> None:
    async def work(tx: Transaction) -> list[Envelope]:
        return [(await write(tx, name, "x"))[0] for name in ("c", "a", "b", "a")]

    written = await store.run(work)
    rows = await store.pool.fetch("select event from es.outbox order by position")
    assert [row["event"] for row in rows] == [envelope.id for envelope in written]


async def test_a_read_model_may_be_read_after_a_flush_and_nothing_is_written_twice(store: EventStore) -> None:
    async def work(tx: Transaction) -> int:
        await write(tx, "a", "1")
        await tx.flush()
        await tx.flush()
        count: int = await tx.connection.fetchval("select count(*) from es.event")
        await write(tx, "a", "2")
        return count

    assert await store.run(work) == 1
    assert len(await store.history("a")) == 2


async def test_what_somebody_else_appended_meanwhile_makes_all_of_it_be_decided_again(store: EventStore) -> None:
    attempts: list[bool] = []

    async def work(tx: Transaction) -> None:
        attempts.append(tx.again)
        await tx.load_many(NOTES, ["a", "b"])
        if not tx.again:
            await store.run(lambda other: write(other, "b", "theirs"))
        await write(tx, "a", "ours")
        await write(tx, "b", "ours")

    await store.run(work)
    assert attempts == [False, True]
    assert [e.data["text"] for e in await store.history("b")] == ["theirs", "ours"]
    assert len(await store.history("a")) == 1


async def test_a_state_judged_before_the_last_append_is_refused(store: EventStore) -> None:
    async def work(tx: Transaction) -> None:
        loaded = await tx.load(NOTES, "a")
        await write(tx, "a", "1")
        tx.append(NOTES, "a", loaded, [IncidentNoted(text="2")], metadata())

    with pytest.raises(VersionConflict):
        await store.run(work, retry=False)
    assert await store.history("a") == []


async def test_a_text_that_cannot_be_stored_is_refused_alone(store: EventStore) -> None:
    async def work(tx: Transaction) -> None:
        with pytest.raises(Invalid):
            await write(tx, "a", "\x00")
        await write(tx, "b", "fine")

    await store.run(work)
    assert await store.history("a") == []
    assert len(await store.history("b")) == 1


async def test_a_projection_that_fails_takes_all_of_it_back(store: EventStore) -> None:
    async def apply(_: Any, envelopes: Any) -> None:
        raise ArithmeticError

    store.inline = (Projection("fails", 1, READS, (), apply),)

    async def goes_on(tx: Transaction) -> None:
        await write(tx, "a", "1")
        with pytest.raises(ArithmeticError):
            await tx.flush()

    with pytest.raises((ArithmeticError, VersionConflict)):
        await store.run(goes_on, retry=False)
    assert await store.history("a") == []


async def test_writers_that_touch_the_same_aggregates_in_any_order_queue(store: EventStore) -> None:
    async def work(tx: Transaction, names: str) -> None:
        await tx.load_many(NOTES, list(names))
        for name in names:
            await write(tx, name, "x")

    async def one(names: str) -> None:
        await store.run(lambda tx: work(tx, names))

    for _ in range(5):
        found = await asyncio.gather(one("abcdef"), one("fedcba"), return_exceptions=True)
        assert not [error for error in found if isinstance(error, asyncpg.DeadlockDetectedError)], found
    assert [len(await store.history(name)) for name in "abcdef"] == [10] * 6
