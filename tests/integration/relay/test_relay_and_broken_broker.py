"""The relay when the broker dies, forgets or knows more than the store: the stream ends whole all the same."""

import asyncio
import os
import signal
from functools import partial
from typing import TypeAlias
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
    on_stream,
    published,
    published_by_any,
    relay_on,
    running,
)
from tests.support.waiting import eventually

from opsledger_events.subjects import STREAM
from opsledger_runtime.relay import Relay

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def state(relay: Relay, wanted: str) -> bool:
    return bool(relay.state == wanted)


async def test_a_broker_killed_again_and_again_in_mid_backlog_gets_everything_once(
    pool: Pool, client: Client, server: NatsToHurt
) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    for _ in range(20):
        await append(store, 500)
    async with running(relay):
        for round_ in range(1, 5):
            reached = 2000 * round_
            await eventually(partial(published, relay, reached), timeout=60, every=0.001)
            server.kill()
            await append(store, 2)
            await server.start()
            await append(store)
        await eventually(lambda: published(relay, 10_012), timeout=60)
    await assert_whole(pool, client, 10_012)


async def test_numbering_goes_on_while_the_broker_is_away(pool: Pool, client: Client, server: NatsToHurt) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store)
        await eventually(lambda: published(relay, 1))
        server.kill()
        (event,) = await append(store)
        assert await relay.number_of(UUID(event), 5.0) == 2
        await eventually(lambda: state(relay, "disconnected"))
        assert relay.accepting
        await eventually(lambda: aged(relay))
        await server.start()
        await eventually(lambda: published(relay, 2))
        await eventually(lambda: state(relay, "leading"))
    await assert_whole(pool, client, 2)


async def aged(relay: Relay) -> bool:
    return bool(relay.status()["oldest_seconds"] > 0)


async def test_a_missing_stream_is_waited_for_and_never_made(pool: Pool, client: Client) -> None:
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store, 3)
        await asyncio.wait_for(relay.checked.wait(), 5)
        await eventually(lambda: state(relay, "disconnected"))
        assert await client.jetstream().streams_info() == []
        await make_stream(client)
        await eventually(lambda: published(relay, 3))
    await assert_whole(pool, client, 3)


async def test_a_process_that_starts_while_the_broker_is_away_neither_accepts_nor_numbers_before_it_has_compared(
    pool: Pool, client: Client, server: NatsToHurt
) -> None:
    await make_stream(client)
    first = relay_on(pool, client)
    store = event_store(pool, first)
    async with running(first):
        assert not first.accepting
        await append(store, 5)
        await eventually(lambda: published(first, 5))
        assert first.accepting
    server.kill()
    # A database restored from an older backup, and somebody who did not ask before appending.
    await pool.execute("delete from es.publication where no > 3")
    relay = relay_on(pool, client)
    async with running(relay):
        await asyncio.wait_for(relay.checked.wait(), 5)
        await append(event_store(pool, relay))
        await eventually(lambda: state(relay, "disconnected"))
        (event,) = await append(event_store(pool, relay))
        assert await relay.number_of(UUID(event), 2.5) is None
        assert not relay.accepting
        assert not relay.compared
        await server.start()
        await eventually(lambda: state(relay, "ahead"))
        assert relay.compared
        assert not relay.accepting
    assert await pool.fetchval("select max(no) from es.publication") == 3


async def test_a_standby_that_has_compared_goes_on_numbering_as_leader_while_the_broker_is_away(
    pool: Pool, client: Client, server: NatsToHurt
) -> None:
    await make_stream(client)
    leader, standby = relay_on(pool, client), relay_on(pool, client)
    async with running(leader):
        await eventually(lambda: state(leader, "leading"))
        follower = asyncio.create_task(standby.run())
        await eventually(lambda: accepting(standby))
        server.kill()
    await eventually(lambda: state(standby, "disconnected"))
    (event,) = await append(event_store(pool, standby))
    assert await standby.number_of(UUID(event), 5.0) == 1
    assert standby.accepting
    await server.start()
    await eventually(lambda: published(standby, 1))
    follower.cancel()
    await asyncio.wait({follower})
    await assert_whole(pool, client, 1)


@pytest.mark.parametrize("busy", [False, True])
async def test_a_stream_made_again_gets_everything_with_the_same_numbers_and_bytes(
    pool: Pool, client: Client, busy: bool
) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    for _ in range(3):
        await append(store, 400)
    async with running(relay):
        await eventually(lambda: published(relay, 1200))
        before = await on_stream(client)
        await make_stream(client)
        if busy:
            await append(store)
        total = 1201 if busy else 1200
        await eventually(lambda: length(client, total))
        assert await data(client, 1200) == [message[1] for message in before]
    await assert_whole(pool, client, total)


async def length(client: Client, count: int) -> bool:
    return (await client.jetstream().stream_info(STREAM)).state.messages == count


async def data(client: Client, count: int) -> list[bytes]:
    return [message[1] for message in await on_stream(client)][:count]


async def test_a_lost_tail_is_published_again_though_the_broker_remembers_its_ids(pool: Pool, client: Client) -> None:
    await make_stream(client, duplicate_seconds=2)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store, 10)
        await eventually(lambda: published(relay, 10))
        for sequence in (10, 9, 8):
            await client.jetstream().delete_msg(STREAM, sequence)
        await eventually(lambda: length(client, 10))
        await append(store)
        await eventually(lambda: length(client, 11))
        await eventually(lambda: published(relay, 11))
    await assert_whole(pool, client, 11)


async def test_a_store_behind_the_stream_takes_no_command_until_it_is_recovered(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store, 5)
        await eventually(lambda: published(relay, 5))
    # A database restored from an older backup.
    lost = await pool.fetch("select * from es.publication where no > 3 order by no")
    events = await pool.fetch("select * from es.event where id = any($1::uuid[])", [row["event"] for row in lost])
    await pool.execute("delete from es.publication where no > 3")
    await pool.execute("delete from es.event where id = any($1::uuid[])", [row["event"] for row in lost])
    leader, standby = relay_on(pool, client), relay_on(pool, client)
    store = event_store(pool, leader)
    async with running(leader, standby):
        await eventually(lambda: state(leader, "ahead"))
        await eventually(lambda: state(standby, "ahead"))
        assert not leader.accepting
        assert not standby.accepting
        assert leader.status()["state"] == "ahead"
        await append(store)  # somebody who did not ask
        await asyncio.wait_for(leader.checked.wait(), 5)
        assert await leader.number_of(UUID(str(lost[0]["event"])), 1.5) is None
        assert await pool.fetchval("select max(no) from es.publication") == 3, "nothing is numbered"
        assert len(await on_stream(client)) == 5, "nothing is published"
        # What recovering does.
        await pool.executemany(
            "insert into es.event values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", [tuple(row) for row in events]
        )
        await pool.executemany("insert into es.publication values ($1, $2, $3, $4)", [tuple(row) for row in lost])
        await eventually(lambda: published_by_any(6, leader, standby))
        await eventually(lambda: accepting(leader, standby))
    await assert_whole(pool, client, 6)


async def accepting(*relays: Relay) -> bool:
    return all(relay.accepting for relay in relays)


async def test_a_store_whose_chain_differs_from_the_stream_is_diverged(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store, 5)
        await eventually(lambda: published(relay, 5))
        await pool.execute("update es.publication set hash = sha256(hash) where no = 5")
        await eventually(lambda: state(relay, "diverged"))
        assert not relay.accepting
        await append(store)
        assert len(await on_stream(client)) == 5
    assert await pool.fetchval("select count(*) from es.outbox") == 1


async def test_a_foreign_message_on_the_contexts_subjects_is_diverged(pool: Pool, client: Client) -> None:
    await make_stream(client)
    await client.jetstream().publish(f"opsledger.evt.{CONTEXT}.IncidentNoted.01", b"not ours")
    relay = relay_on(pool, client)
    async with running(relay):
        await eventually(lambda: state(relay, "diverged"))
        assert not relay.accepting


async def test_a_frozen_broker_is_not_fatal(pool: Pool, client: Client, server: NatsToHurt) -> None:
    await make_stream(client)
    relay = relay_on(pool, client)
    store = event_store(pool, relay)
    async with running(relay):
        await append(store)
        await eventually(lambda: published(relay, 1))
        assert server._process is not None
        os.kill(server._process.pid, signal.SIGSTOP)
        try:
            (event,) = await append(store, 1)
            assert await relay.number_of(UUID(event), 5.0) == 2
            await append(store, 3)
            await eventually(lambda: state(relay, "disconnected"), timeout=15)
        finally:
            os.kill(server._process.pid, signal.SIGCONT)
        await eventually(lambda: published(relay, 5))
    await assert_whole(pool, client, 5)
