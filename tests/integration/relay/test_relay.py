"""The relay on real servers: whatever happens, the stream holds exactly 1..n in order, with the chain whole."""

import asyncio
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from nats.aio.client import Client
from tests.support.relaying import (
    CONTEXT,
    append,
    assert_whole,
    event_store,
    make_stream,
    on_stream,
    published,
    published_by_any,
    relay_on,
    running,
)
from tests.support.waiting import eventually

from opsledger_runtime import ids, numbering, planted
from opsledger_runtime.clock import monotonic
from opsledger_runtime.lease import Lease
from opsledger_runtime.publishing import Position, Publisher, Refused
from opsledger_runtime.relay import Relay
from opsledger_runtime.store import EventStore

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def state(relay: Relay, wanted: str) -> bool:
    return bool(relay.state == wanted)


async def test_events_are_published_in_order_with_their_numbers_and_hashes(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        for count in (1, 2, 3, 1, 20):
            await append(store, count)
        await eventually(lambda: published(relay, 27))
        assert relay.status() == {
            "state": "leading",
            "numbered": 27,
            "published": 27,
            "outbox": 0,
            "oldest_seconds": relay.oldest_seconds,
        }
        (event,) = await append(store)
        assert await relay.number_of(UUID(event), 5.0) == 28
        assert await relay.number_of(ids.new_id(), 0.05) is None
        await eventually(lambda: published(relay, 28))
    await assert_whole(pool, client, 28)
    assert await pool.fetchval("select count(*) from es.outbox") == 0


async def test_concurrent_writers_with_aborted_transactions_leave_no_gap(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)

    async def write(writer: int) -> None:
        for index in range(25):
            if (writer + index) % 5 == 0:
                with pytest.raises(ZeroDivisionError):
                    await give_up(store)
            else:
                await append(store, 1 + index % 3)

    async with running(relay):
        await asyncio.gather(*map(write, range(8)))
        count = await pool.fetchval("select count(*) from es.event")
        await eventually(lambda: published(relay, count))
    await assert_whole(pool, client, count)


async def give_up(store: EventStore) -> None:
    async with store.transaction() as transaction:
        await transaction.connection.execute("insert into es.outbox (event) values ($1)", ids.new_id())
        raise ZeroDivisionError


async def test_a_backlog_of_20_000_drains_in_atomic_batches(pool: Pool, client: Client) -> None:
    await make_stream(client)
    store = event_store(pool)
    for _ in range(40):
        await append(store, 500)
    relay = relay_on(pool, client)
    begun = monotonic()
    async with running(relay):
        await eventually(lambda: published(relay, 20_000), timeout=60)
    seconds = monotonic() - begun
    await assert_whole(pool, client, 20_000)
    batches = {headers.get("Nats-Batch-Id") for _, _, headers in await on_stream(client)}
    assert len(batches) <= 60, "hundreds of events travel in one batch"
    print(f"20,000 events drained in {seconds:.1f} s")


async def test_events_too_large_for_one_batch_together_are_split(pool: Pool, client: Client) -> None:
    await make_stream(client)
    store = event_store(pool)
    await append(store, 30, text="x" * 250_000)
    relay = relay_on(pool, client)
    async with running(relay):
        await eventually(lambda: published(relay, 30))
    await assert_whole(pool, client, 30)


async def test_two_relays_with_a_stolen_lease_publish_each_event_once(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relays = [relay_on(pool, client, renew_every=1.0) for _ in range(2)]
    store = event_store(pool, *relays)
    written = 0
    stop = asyncio.Event()

    async def write() -> None:
        nonlocal written
        while not stop.is_set():
            await append(store, 3)
            written += 3

    async with running(*relays):
        await eventually(lambda: led(pool, 1))
        writing = asyncio.create_task(write())
        for epoch in range(2, 6):
            # The holder goes on believing that it holds the lease, while whoever waits may take it.
            await eventually(partial(stolen, pool, epoch), timeout=10, every=0.1)
        stop.set()
        await writing
        await eventually(lambda: published_by_any(written, *relays))
    await assert_whole(pool, client, written)


async def led(pool: Pool, epoch: int) -> bool:
    return bool(await pool.fetchval("select epoch >= $1 from es.lease", epoch))


async def stolen(pool: Pool, epoch: int) -> bool:
    await pool.execute(
        "update es.lease set expires_at = clock_timestamp() - interval '1 second' where epoch < $1", epoch
    )
    return await led(pool, epoch)


async def test_a_relay_that_ignores_its_lost_lease_is_refused_by_the_broker(pool: Pool, client: Client) -> None:
    await make_stream(client)
    store = event_store(pool)
    await append(store, 6)
    lease = Lease(pool, "relay", holder=ids.new_id())
    async with pool.acquire() as connection:
        lease._ignored = True
        await numbering.number(connection, lease)
        events = await numbering.beyond(connection, 0, 100)
    publisher = Publisher(CONTEXT, client)
    stale = await publisher.position()
    assert stale == Position(0, 0, b"")
    assert (await publisher.publish(stale, events[:1])).no == 1
    with pytest.raises(Refused, match="wrong last sequence"):  # 10071, for one message
        await publisher.publish(stale._replace(no=1, hash=events[0].hash), events[1:2])
    with pytest.raises(Refused, match="wrong last sequence"):  # and for a batch
        await publisher.publish(stale._replace(no=1, hash=events[0].hash), events[1:4])
    with pytest.raises(Refused):  # a repeat of what is there, whether the broker says 10071, 10201 or duplicate
        await publisher.publish(stale, events)
    with pytest.raises(Refused):
        await publisher.publish(await publisher.position(), events)
    with pytest.raises(Refused):
        await publisher.publish(await publisher.position(), events[:1])
    reached = await publisher.publish(await publisher.position(), events[1:])
    assert (reached.no, reached) == (6, await publisher.position())
    await assert_whole(pool, client, 6)


async def test_a_few_events_go_one_after_another_and_more_of_them_as_one_batch(pool: Pool, client: Client) -> None:
    await make_stream(client)
    store = event_store(pool)
    await append(store, 60)
    lease = Lease(pool, "relay", holder=ids.new_id())
    lease._ignored = True
    async with pool.acquire() as connection:
        events = (await numbering.number(connection, lease)).numbered
    publisher = Publisher(CONTEXT, client)
    position = await publisher.position()
    for count in (1, 2, 5, 6, 46):
        position = await publisher.publish(position, events[position.no : position.no + count])
        assert position == await publisher.position()
    await assert_whole(pool, client, 60)
    batches = [headers.get("Nats-Batch-Id") for _, _, headers in await on_stream(client)]
    assert batches[:8] == [None] * 8
    assert [batches.count(name) for name in dict.fromkeys(batches[8:])] == [6, 46]


async def test_of_a_few_events_those_before_the_refused_one_are_there(pool: Pool, client: Client) -> None:
    await make_stream(client)
    store = event_store(pool)
    await append(store, 4)
    lease = Lease(pool, "relay", holder=ids.new_id())
    lease._ignored = True
    async with pool.acquire() as connection:
        events = (await numbering.number(connection, lease)).numbered
    publisher, asked = Publisher(CONTEXT, client), 0
    ask = publisher._ask

    async def interrupted(messages: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:  # somebody else publishes the third
            await Publisher(CONTEXT, client).publish(await publisher.position(), events[2:3])
        return await ask(messages)

    publisher._ask = interrupted  # type: ignore[method-assign]
    with pytest.raises(Refused):
        await publisher.publish(await publisher.position(), events)
    assert (await publisher.position()).no == 3
    await publisher.publish(await publisher.position(), events[3:])
    await assert_whole(pool, client, 4)


async def test_another_context_on_the_same_stream_does_not_disturb(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    js = client.jetstream()
    async with running(relay):
        for index in range(10):
            await js.publish("opsledger.evt.sla.SLAMet.01", b"{}")
            await append(store, 1 + index % 2)
        await eventually(lambda: published(relay, 15))
        assert relay.refusals == 0
    await assert_whole(pool, client, 15)


async def test_the_leader_hears_of_events_appended_in_another_process(
    pool: Pool, client: Client, database: str
) -> None:
    await make_stream(client)
    leader = relay_on(pool, client, dsn=database)
    async with running(leader):
        await eventually(lambda: state(leader, "leading"))
        standby = relay_on(pool, client, dsn=database)
        store = event_store(pool, standby)
        async with running(standby):
            await append(store)
            await eventually(lambda: published(leader, 1))
            waits = []
            for no in range(2, 22):
                begun = monotonic()
                await append(store)
                await eventually(partial(published, leader, no), every=0.001)
                waits.append(monotonic() - begun)
            assert standby.state == "standby"
    assert sorted(waits)[10] < 0.3, "told, not found by the safety poll of a second"
    await assert_whole(pool, client, 21)


async def test_the_planted_bug_breaks_the_order(pool: Pool, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_stream(client)
    store = event_store(pool)
    await append(store, 200)
    planted.planted_bug.cache_clear()
    monkeypatch.setenv(planted.SWITCH, "pipelined-relay")
    try:
        relay = relay_on(pool, client)
    finally:
        monkeypatch.delenv(planted.SWITCH)
        planted.planted_bug.cache_clear()
    async with running(relay):
        await eventually(lambda: published(relay, 200))
    with pytest.raises(AssertionError):
        await assert_whole(pool, client, 200)
