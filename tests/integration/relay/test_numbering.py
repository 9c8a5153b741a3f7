"""Numbering on a real database: gapless, chained, and by the leader alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.support.relaying import append, event_store

from opsledger_runtime import ids, ledger, numbering
from opsledger_runtime.lease import Lease, LeaseLost

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def seat(pool: Pool) -> Lease:
    found = Lease(pool, "relay", holder=ids.new_id())
    await pool.execute("update es.lease set expires_at = clock_timestamp() - interval '1 second'")
    assert await found._acquire()
    return found


async def test_numbers_are_gapless_in_order_of_position_and_chained(pool: Pool) -> None:
    store, lease = event_store(pool), await seat(pool)
    appended = [event for _ in range(3) for event in await append(store, 500)]
    async with pool.acquire() as connection:
        first = await numbering.number(connection, lease)
        second = await numbering.number(connection, lease)
        third = await numbering.number(connection, lease)
        again = await numbering.beyond(connection, 990, 20)
        assert await numbering.known(connection, 1500) == (1500, second.numbered[-1].hash)
        assert await numbering.known(connection, 1501) == (1500, None)
        assert (await numbering.backlog(connection, 1499)).numbered == 1500
    assert (len(first.numbered), first.last, first.more) == (1000, 1000, True)
    assert (len(second.numbered), second.last, second.more) == (500, 1500, False)
    assert (len(third.numbered), third.last, third.more) == (0, 1500, False)
    numbered = [*first.numbered, *second.numbered]
    assert [one.no for one in numbered] == list(range(1, 1501))
    assert [str(one.event) for one in numbered] == appended
    assert again == numbered[990:1010]
    previous = ledger.GENESIS
    for one in numbered:
        previous = ledger.chain(previous, one.no, ledger.digest_of(one.body, one.salt))
        assert one.hash == previous
    assert await pool.fetchval("select count(*) from es.outbox") == 0


async def test_who_lost_the_lease_numbers_nothing(pool: Pool) -> None:
    store, lease = event_store(pool), await seat(pool)
    await append(store)
    successor = await seat(pool)
    assert lease.held, "it does not know yet"
    async with pool.acquire() as connection:
        with pytest.raises(LeaseLost):
            await numbering.number(connection, lease)
        assert not lease.held
        assert (await numbering.number(connection, successor)).last == 1


class Between:
    """A connection to which something happens between the reading and the writing of a numbering."""

    def __init__(self, connection: Any, happens: Callable[[], Awaitable[object]]) -> None:
        self._connection = connection
        self._happens = happens

    async def fetch(self, *about: Any) -> Any:
        found = await self._connection.fetch(*about)
        await self._happens()
        return found

    async def fetchval(self, *about: Any) -> Any:
        return await self._connection.fetchval(*about)


async def _numbers(pool: Pool) -> list[int]:
    return [row["no"] for row in await pool.fetch("select no from es.publication order by no")]


async def test_who_loses_the_lease_between_reading_and_writing_writes_nothing(pool: Pool) -> None:
    store, lease = event_store(pool), await seat(pool)
    await append(store, 3)
    async with pool.acquire() as connection:
        with pytest.raises(LeaseLost):
            await numbering.number(Between(connection, lambda: seat(pool)), lease)
    assert not lease.held
    assert await _numbers(pool) == []
    assert await pool.fetchval("select count(*) from es.outbox") == 3


async def test_numbers_that_somebody_else_gave_meanwhile_are_not_given_again(pool: Pool) -> None:
    store, lease = event_store(pool), await seat(pool)
    lease._ignored = True  # so that nothing but the numbers themselves refuses
    appended = await append(store, 3)

    async def other() -> None:
        async with pool.acquire() as connection:
            await append(store, 2)
            assert (await numbering.number(connection, await seat(pool))).last == 5
            await append(store)

    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await numbering.number(Between(connection, other), lease)
        assert await _numbers(pool) == [1, 2, 3, 4, 5]
        assert await pool.fetchval("select count(*) from es.outbox") == 1, "and what is new is not lost"
        assert (await numbering.number(connection, lease)).last == 6
    rows = await pool.fetch("select event::text from es.publication order by no limit 3")
    assert [row["event"] for row in rows] == appended


async def test_a_successor_waits_until_the_numbers_are_written(pool: Pool) -> None:
    store, lease = event_store(pool), await seat(pool)
    await append(store)
    async with pool.acquire() as first, pool.acquire() as second:
        writing = first.transaction()
        await writing.start()
        await numbering.number(first, lease)  # as if its commit took long
        await second.execute("update es.lease set expires_at = clock_timestamp() - interval '1 second'")
        taking = asyncio.create_task(Lease(pool, "relay", holder=ids.new_id())._acquire())
        done, _ = await asyncio.wait({taking}, timeout=0.3)
        assert not done
        await writing.commit()
        assert await taking
    assert await _numbers(pool) == [1]


async def test_an_event_still_being_written_gets_its_number_later_and_leaves_no_gap(pool: Pool) -> None:
    store, lease = event_store(pool), await seat(pool)
    release = asyncio.Event()
    written = asyncio.Event()

    async def slow() -> None:
        async with store.transaction() as transaction:
            await transaction.connection.execute("select nextval(pg_get_serial_sequence('es.outbox', 'position'))")
            written.set()
            await release.wait()

    writing = asyncio.create_task(slow())
    await written.wait()
    await append(store, 2)
    async with pool.acquire() as connection:
        assert (await numbering.number(connection, lease)).last == 2
        release.set()
        await writing
        await append(store)
        assert [one.no for one in (await numbering.number(connection, lease)).numbered] == [3]


async def test_writers_of_other_databases_are_not_waited_for(pool: Pool, postgres_url: str) -> None:
    elsewhere = await asyncpg.connect(postgres_url)
    await elsewhere.execute("begin")
    await elsewhere.fetch("select pg_current_xact_id()")
    try:
        async with pool.acquire() as connection:
            assert await numbering.writers(connection) == frozenset()
        async with event_store(pool).transaction() as transaction:
            xid = await transaction.connection.fetchval("select pg_current_xact_id()::text")
            async with pool.acquire() as connection:
                assert await numbering.writers(connection) == {xid}
    finally:
        await elsewhere.close()


async def test_a_transaction_of_another_role_is_not_waited_for(pool: Pool, database: str) -> None:
    role = f"backup_{ids.new_id().hex}"
    await pool.execute(f"create role {role} login password 'known'")
    address = urlsplit(database)
    elsewhere = await asyncpg.connect(
        host=address.hostname, port=address.port, user=role, password="known", database=address.path[1:]
    )
    try:
        await elsewhere.execute("begin; select pg_current_xact_id()")
        async with pool.acquire() as connection:
            assert await numbering.writers(connection) == frozenset()
    finally:
        await elsewhere.close()
        await pool.execute(f"drop role {role}")


async def test_a_pass_is_bounded_by_bytes_and_none_is_left_out(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "LIMIT_BYTES", 1_000_000)
    store, lease = event_store(pool), await seat(pool)
    appended = [event for _ in range(3) for event in await append(store, 5, text="x" * 240_000)]
    passes = []
    async with pool.acquire() as connection:
        while not passes or passes[-1].more:
            passes.append(await numbering.number(connection, lease))
        assert [len(found.numbered) for found in passes] == [5, 5, 5, 0]
        assert [str(one.event) for found in passes for one in found.numbered] == appended
        first = await numbering.beyond(connection, 0, 100)
        assert first == passes[0].numbered
        monkeypatch.setattr(numbering, "LIMIT_BYTES", 1)
        assert await numbering.beyond(connection, 5, 100) == passes[1].numbered[:1], "one goes in any case"


async def test_a_backlog_is_counted_up_to_the_asked_bound(pool: Pool) -> None:
    store = event_store(pool)
    await append(store, 30)
    assert (await numbering.backlog(pool, 0, 20)).outbox == 20
    assert (await numbering.backlog(pool, 0)).outbox == 30
