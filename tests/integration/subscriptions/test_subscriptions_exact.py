"""A subscription applies every event once and in order, whatever happens to it."""

import asyncio
from typing import Any

import asyncpg
import pytest
from tests.support.bus import (
    CLOSED,
    NOTED,
    Tally,
    a_bus,
    a_store,
    sequences,
    subscribed,
    subscription,
    tallied,
    wire,
)
from tests.support.waiting import eventually

from opsledger_events import subjects
from opsledger_runtime.store import EventStore
from opsledger_runtime.subscriptions import Subscriber, delivery, wait_applied
from opsledger_runtime.subscriptions.checkpoint import Checkpoint


async def _reached(store: EventStore, no: int) -> bool:
    return await wait_applied(store.pool, ["tally"], "incident", no, 20)


async def test_every_event_is_applied_once_and_in_order(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found) as one:
        await bus.noted(1300)
        assert await _reached(store, 1300)
        await bus.noted(3)
        assert await _reached(store, 1303)
        assert await tallied(store) == list(range(1, 1304))
        assert max(tally.batches) > 100, "events that are there come in batches"
        assert await one.applied() == {"incident": 1303}
        status = await one.status()
        assert status["leading"]
        assert status["parked"] == 0
        assert status["stream_sequence"] == 1303


async def test_a_type_outside_the_list_is_skipped_and_counted_as_applied(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        await bus.publish(bus.make(NOTED, "a"), bus.make(CLOSED, "a"), bus.make(NOTED, "b"), bus.make(CLOSED, "b"))
        assert await _reached(store, 4)
        assert await tallied(store) == [1, 3]


async def test_events_published_twice_are_applied_once(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        events = await bus.noted(20)
        assert await _reached(store, 20)
        for event in events:  # another message id, so that the server's deduplication does not hide it
            headers = {**event.headers(), "Nats-Msg-Id": f"again-{event.id}"}
            await bus.js.publish(subjects.event_subject(event.type, event.partitionkey), wire(event), headers=headers)
        await bus.noted(5)
        assert await _reached(store, 25)
        assert await tallied(store) == list(range(1, 26))


async def test_a_failing_database_is_waited_for_and_nothing_is_parked(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found) as one:
        events = await bus.noted(3)
        assert await _reached(store, 3)
        bad = bus.make(NOTED, "agg-1")
        tally.failing[str(bad.id)] = asyncpg.DeadlockDetectedError("deadlock detected")
        await bus.publish(bad)
        await eventually(lambda: _blocked(one))
        assert await tallied(store) == [1, 2, 3]
        tally.failing.clear()
        assert await _reached(store, 4)
        assert (await one.status())["parked"] == 0
        assert await eventually(lambda: _unblocked(one))
        assert len(events) == 3


async def _blocked(one: Subscriber) -> Any:
    return (await one.status())["blocked"]


async def _unblocked(one: Subscriber) -> bool:
    return await _blocked(one) is None


async def test_cancelled_in_the_middle_of_a_batch_leaves_no_half(database: str, fresh_nats: str) -> None:
    tally = Tally()
    tally.pause = asyncio.Event()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        await bus.noted(50)
        async with subscribed(fresh_nats, store, found):
            await asyncio.wait_for(tally.entered.wait(), 20)
        assert await tallied(store) == []
        assert await sequences(store) == {}
        tally.pause = None
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 50)
        assert await tallied(store) == list(range(1, 51))


async def test_committed_but_not_acknowledged_is_not_applied_again(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        await bus.noted(30)
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 30)
        await bus.js.reset_consumer(subjects.STREAM, "probe_tally_a", seq=1)  # as if no acknowledgement had arrived
        await bus.noted(5)
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 35)
        assert await tallied(store) == list(range(1, 36))


async def test_a_second_instance_takes_over_when_the_first_goes(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with (
        a_store(database, size=12) as store,
        a_bus(fresh_nats, found) as bus,
        subscribed(fresh_nats, store, found) as first,
    ):
        await bus.noted(10)
        assert await _reached(store, 10)
        async with subscribed(fresh_nats, store, found) as second:
            assert not (await second.status())["leading"]
            await bus.noted(10)
            assert await _reached(store, 20)
            for round_ in range(1, 4):
                await store.pool.execute(
                    "update es.lease set holder = gen_random_uuid(), epoch = epoch + 1,"
                    " expires_at = clock_timestamp() + interval '0.5 seconds'"
                )
                await bus.noted(500)
                assert await _reached(store, 20 + 500 * round_)
            assert await tallied(store) == list(range(1, 1521))
            leading = [(await one.status())["leading"] for one in (first, second)]
            assert sum(leading) == 1


async def test_an_instance_whose_consumer_was_rewound_by_another_stays_in_step(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        for round_ in range(1, 6):
            await bus.noted(200)
            await bus.js.reset_consumer(subjects.STREAM, "probe_tally_a", seq=1)
            assert await _reached(store, 200 * round_)
        assert await tallied(store) == list(range(1, 1001))


async def test_moved_checkpoint_makes_the_instance_step_down(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        await bus.noted(10)
        assert await _reached(store, 10)
        await store.pool.execute(
            "update es.checkpoint set sequences = '{\"incident\": 12}' where subscription = 'tally'"
        )
        await bus.noted(5)
        assert await _reached(store, 15)
        assert await tallied(store) == [*range(1, 11), 13, 14, 15], "what the row says is believed, not memory"


@pytest.mark.parametrize("name", ["incident", "sla"])
async def test_a_context_beyond_the_checkpoint_is_waited_for_only_so_long(database: str, name: str) -> None:
    async with a_store(database) as store:
        assert not await wait_applied(store.pool, ["tally"], name, 1, 0.05)
        assert await wait_applied(store.pool, [], name, 1, 0.05)
        assert await wait_applied(store.pool, ["tally"], name, 0, 0.05)


async def test_large_events_are_pulled_in_bounded_amounts_without_starting_over(
    database: str, fresh_nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WINDOW_BYTES", 1_000_000)
    start_from, starts = delivery.Delivery.start_from, []

    async def counted(self: delivery.Delivery, stored: Checkpoint) -> Checkpoint:
        starts.append((self, stored.stream_sequence))
        return await start_from(self, stored)

    monkeypatch.setattr(delivery.Delivery, "start_from", counted)
    tally = Tally()
    tally.pause = asyncio.Event()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        await bus.publish(*(bus.make(NOTED, f"agg-{n}", {"text": "x" * 150_000}) for n in range(60)))
        async with subscribed(fresh_nats, store, found) as one:
            await asyncio.wait_for(tally.entered.wait(), 10)
            await asyncio.sleep(0)
            held: Any = one._delivery._subscriber.subscription
            assert held._sub._pending_size <= 2 * delivery.WINDOW_BYTES
            tally.pause.set()
            assert await _reached(store, 60)
            assert max(tally.batches) <= 14
            await bus.noted(2500)  # so small that pulls end by their count
            assert await _reached(store, 2560)
        assert await tallied(store) == list(range(1, 2561))
        assert [at for who, at in starts if who is one._delivery] == [0]
