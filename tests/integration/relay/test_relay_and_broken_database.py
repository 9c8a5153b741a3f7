"""The relay when the database loses an answer or itself: nothing reaches the stream out of its turn."""

from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from nats.aio.client import Client
from tests.support.relaying import (
    CONTEXT,
    NatsToHurt,
    append,
    assert_whole,
    event_store,
    make_stream,
    numbered,
    on_stream,
    published,
    relay_on,
    running,
)
from tests.support.waiting import eventually

from opsledger_runtime import ids, numbering
from opsledger_runtime.lease import Lease
from opsledger_runtime.publishing import Publisher, Refused
from opsledger_runtime.relay import Relay

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def state(relay: Relay, wanted: str) -> bool:
    return bool(relay.state == wanted)


async def test_numbers_whose_commit_was_not_answered_leave_no_hole_on_the_stream(
    pool: Pool, client: Client, server: NatsToHurt, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    number, lose = numbering.number, False

    async def committed_unheard(*about: Any) -> numbering.Pass:
        found = await number(*about)
        if lose and found.numbered:
            raise ConnectionResetError("the answer to COMMIT was lost")
        return found

    monkeypatch.setattr(numbering, "number", committed_unheard)
    async with running(relay):
        await eventually(lambda: state(relay, "leading"))
        server.kill()
        await append(store, 6)
        await eventually(lambda: numbered(pool, 6))
        lose = True
        await append(store, 3)
        await eventually(lambda: numbered(pool, 9))
        lose = False
        (event,) = await append(store, 1)
        assert await relay.number_of(UUID(event), 5.0) == 10
        await append(store, 2)
        await eventually(lambda: numbered(pool, 12))
        await server.start()
        await eventually(lambda: published(relay, 12))
    await assert_whole(pool, client, 12)


async def test_the_publisher_refuses_events_that_do_not_follow(pool: Pool, client: Client) -> None:
    await make_stream(client)
    store, lease = event_store(pool), Lease(pool, "relay", holder=ids.new_id())
    await append(store, 6)
    assert await lease._acquire()
    async with pool.acquire() as connection:
        events = list((await numbering.number(connection, lease)).numbered)
    publisher = Publisher(CONTEXT, client)
    start = await publisher.position()
    for hole in (events[1:], [*events[:2], *events[3:]], [events[1], events[0]], [events[0], events[0]]):
        with pytest.raises(Refused, match="follow"):
            await publisher.publish(start, hole)
    position = await publisher.publish(start, events[:2])
    with pytest.raises(Refused, match="follow"):  # the numbers of another database that lost the first two
        await publisher.publish(position._replace(hash=b"\x01" * 32), events[2:])
    assert len(await on_stream(client)) == 2
    await publisher.publish(position, events[2:])
    await assert_whole(pool, client, 6)


async def test_a_database_that_lost_its_tail_numbers_nothing_anew(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store, 5)
        await eventually(lambda: published(relay, 5))
        async with pool.acquire() as connection, connection.transaction():
            # A failover to a replica that had not received the last two, with a command right behind it.
            await connection.execute("create temporary table lost as select event from es.publication where no > 3")
            await connection.execute("delete from es.publication where no > 3")
            await connection.execute("delete from es.event where id in (select event from lost)")
            await connection.execute("drop table lost")
            await connection.execute(
                "insert into es.event select gen_random_uuid(), 'other', version, type, time, recordedtime, command,"
                " body, salt, digest from es.event where version = 1"
            )
            await connection.execute("insert into es.outbox (event) select id from es.event where aggregate = 'other'")
        relay.poke()
        await eventually(lambda: state(relay, "ahead"))
        assert not relay.accepting
    assert await pool.fetchval("select max(no) from es.publication") == 3
    assert len(await on_stream(client)) == 5
