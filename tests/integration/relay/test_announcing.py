"""Heartbeats on real servers: what a relay announces is true, and arrives."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client
from tests.support.relaying import (
    CONTEXT,
    NatsToHurt,
    append,
    event_store,
    make_stream,
    relay_on,
    running,
)
from tests.support.waiting import eventually

from opsledger_runtime import numbering
from opsledger_runtime.clock import FixedClock, OffsetClock, SystemClock, machine_time, monotonic, set_offset
from opsledger_runtime.relay import MARGIN_SECONDS
from opsledger_runtime.watermarks import Watermarks

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


MARGIN = timedelta(seconds=MARGIN_SECONDS)


async def heard(marks: Watermarks, last: int, after: datetime) -> bool:
    mark = marks.of(CONTEXT)
    return mark is not None and mark.last >= last and mark.time >= after


async def test_an_announcement_never_passes_an_open_transaction(pool: Pool, client: Client) -> None:
    await make_stream(client)
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    relay, marks = relay_on(pool, client, clock=clock), Watermarks(client)
    store = event_store(pool, relay, clock=clock)
    async with running(marks, relay):
        assert marks.of(CONTEXT) is None
        await append(store)
        await eventually(lambda: heard(marks, 1, clock.instant - MARGIN))
        release, recorded = asyncio.Event(), asyncio.Event()
        clock.instant += timedelta(minutes=1)
        begun = clock.instant

        async def write() -> None:
            async with store.transaction() as transaction:
                assert transaction.now == begun
                await transaction.connection.execute("create temporary table held (n integer)")
                recorded.set()
                await release.wait()

        writing = asyncio.create_task(write())
        await recorded.wait()
        await append(store)
        clock.instant += timedelta(minutes=1)
        # Three heartbeats' time: the later events are published meanwhile, the announcement waits.
        until = monotonic() + 3

        async def time_has_passed() -> bool:
            mark = marks.of(CONTEXT)
            assert mark is not None
            if mark.time > begun:
                pytest.fail("announced past a transaction that may still record something earlier")
            return monotonic() > until

        await eventually(time_has_passed, timeout=10)
        assert relay.published == 2
        release.set()
        await writing
        await eventually(lambda: heard(marks, 2, clock.instant - MARGIN), timeout=5)
        mark = marks.of(CONTEXT)
        assert mark is not None
        assert mark.time == clock.instant - MARGIN, "a replica's clock may be that far behind"


async def test_every_event_recorded_by_the_announced_time_has_an_announced_number(pool: Pool, client: Client) -> None:
    await make_stream(client)
    relay, marks = relay_on(pool, client), Watermarks(client)
    store = event_store(pool, relay)
    checks = 0
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            async with store.transaction() as transaction:
                await asyncio.sleep(0)
                await transaction.connection.fetch("select pg_sleep(0.003)")
            await append(store)

    async with running(marks, relay):
        writing = [asyncio.create_task(write()) for _ in range(4)]
        seen = None
        until = monotonic() + 4
        while monotonic() < until:
            mark = marks.of(CONTEXT)
            if mark is not None and mark != seen:
                seen, checks = mark, checks + 1
                late = await pool.fetchval(
                    "select count(*) from es.event e left join es.publication p on p.event = e.id"
                    " where e.recordedtime <= $1 and (p.no is null or p.no > $2)",
                    mark.time,
                    mark.last,
                )
                assert late == 0
            await asyncio.sleep(0.005)
        stop.set()
        await asyncio.gather(*writing)
    assert checks >= 4


async def test_the_heartbeat_follows_a_moved_clock_and_survives_a_restarted_broker(
    pool: Pool, client: Client, server: NatsToHurt, tmp_path: Path
) -> None:
    await make_stream(client)
    file = tmp_path / "clock.json"
    clock = OffsetClock(file)
    relay, marks = relay_on(pool, client, clock=clock), Watermarks(client)
    start = SystemClock().now()
    async with running(marks, relay):
        await eventually(lambda: heard(marks, 0, start))
        set_offset(file, timedelta(days=1))
        await eventually(lambda: heard(marks, 0, start + timedelta(days=1)))
        server.kill()
        await append(event_store(pool, relay, clock=clock))
        await server.start()
        now = clock.now()
        await eventually(lambda: heard(marks, 1, now))
        mark = marks.of(CONTEXT)
        assert mark is not None
        assert mark.age() < timedelta(seconds=5)


async def test_a_standby_announces_nothing(pool: Pool, client: Client) -> None:
    await make_stream(client)
    leader, standby, marks = relay_on(pool, client), relay_on(pool, client), Watermarks(client)
    async with running(leader, marks):
        await eventually(lambda: heard(marks, 0, SystemClock().now() - timedelta(seconds=5)))
        async with running(standby):
            now = SystemClock().now()
            await eventually(lambda: heard(marks, 0, now + timedelta(seconds=1)))
            assert standby.heartbeat is None
            assert standby.state == "standby"


async def test_words_come_at_least_every_second_and_no_later_than_the_margin_and_that(
    pool: Pool, client: Client
) -> None:
    await make_stream(client)
    relay, marks = relay_on(pool, client), Watermarks(client)
    async with running(marks, relay):
        await eventually(lambda: heard(marks, 0, SystemClock().now() - timedelta(seconds=5)))
        until, latest = monotonic() + 4, timedelta(0)

        async def watched() -> bool:
            nonlocal latest
            mark = marks.of(CONTEXT)
            assert mark is not None
            latest = max(latest, SystemClock().now() - mark.time)
            return monotonic() > until

        await eventually(watched, timeout=10)
    assert MARGIN < latest < timedelta(seconds=1.25)


@pytest.mark.parametrize("off", [-1.0, 1.0])
async def test_who_has_another_time_than_the_database_neither_leads_nor_announces(
    pool: Pool, client: Client, monkeypatch: pytest.MonkeyPatch, off: float
) -> None:
    await make_stream(client)
    relay, marks = relay_on(pool, client), Watermarks(client)
    store = event_store(pool, relay)

    async def stands_by() -> bool:
        return relay.state == "standby"

    async def told() -> bool:
        return abs(relay.clock_off) > 0.9

    async with running(marks, relay):
        await append(store)
        await eventually(lambda: heard(marks, 1, SystemClock().now() - timedelta(seconds=5)))
        monkeypatch.setattr(numbering, "machine_time", lambda: machine_time() + timedelta(seconds=off))
        await eventually(stands_by)
        await eventually(told)
        assert (relay.clock_off > 0) is (off > 0)
        assert relay.accepting
        await append(store)
        quiet = marks.of(CONTEXT)
        until = monotonic() + 3

        async def time_has_passed() -> bool:
            assert relay.state == "standby"
            return monotonic() > until

        await eventually(time_has_passed, timeout=10)
        assert marks.of(CONTEXT) == quiet
        assert relay.published == 1
        monkeypatch.setattr(numbering, "machine_time", machine_time)
        await eventually(lambda: heard(marks, 2, SystemClock().now() - timedelta(seconds=1)))
