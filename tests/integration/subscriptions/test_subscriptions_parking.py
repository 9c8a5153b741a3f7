"""An event that cannot be applied is set aside with those behind it; everything else goes on; operators decide."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tests.support.bus import MET, NOTED, Tally, a_bus, a_store, envelope, subscribed, subscription, tallied, wire
from tests.support.waiting import eventually

from opsledger_events import Envelope, subjects
from opsledger_runtime.caught_up import Applied
from opsledger_runtime.errors import NotFound
from opsledger_runtime.store import EventStore, Transaction
from opsledger_runtime.subscriptions import Parked, checkpoint, discard_parked, list_parked, retry_parked, wait_applied
from opsledger_runtime.subscriptions.batches import Applier
from opsledger_runtime.subscriptions.parking import park


async def _reached(store: EventStore, no: int) -> bool:
    return await wait_applied(store.pool, ["tally"], "incident", no, 20)


async def test_a_poison_event_is_parked_with_those_behind_it_and_others_go_on(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        events = [bus.make(NOTED, f"agg-{i % 3}") for i in range(12)]
        poison = events[4]  # agg-1, number 5; behind it 8 and 11
        tally.failing[str(poison.id)] = ValueError("cannot be \x00 handled")
        await bus.publish(*events)
        async with subscribed(fresh_nats, store, found) as one:
            assert await _reached(store, 12)
            assert await tallied(store) == [1, 2, 3, 4, 6, 7, 9, 10, 12]
            later = bus.make(NOTED, "agg-1")
            await bus.publish(later, bus.make(NOTED, "agg-2"))
            assert await _reached(store, 14)
            assert await tallied(store) == [1, 2, 3, 4, 6, 7, 9, 10, 12, 14]
            parked = await list_parked(store.pool, "tally")
            assert [row.sequence for row in parked] == [5, 8, 11, 13]
            assert parked[0].error == "ValueError: cannot be  handled"
            assert parked[0].event == poison.id
            assert parked[0].body == wire(poison)
            assert "behind" in parked[1].error
            assert (await one.status())["parked"] == 4

            again = await retry_parked(store, found, "agg-1")
            assert (again.applied, again.left) == (0, 4)
            assert again.error is not None
            tally.failing.clear()
            again = await retry_parked(store, found, "agg-1")
            assert (again.applied, again.left, again.error) == (4, 0, None)
            await bus.noted(7)
            assert await _reached(store, 21)
            assert await tallied(store) == list(range(1, 22)), "the aggregate is handled again as events come"


async def test_a_discarded_event_is_given_up_and_those_behind_it_can_go_on(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        first, second = bus.make(NOTED, "a"), bus.make(NOTED, "a")
        tally.failing[str(first.id)] = KeyError("no")
        await bus.publish(first, second)
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 2)
            with pytest.raises(ValueError, match="reason"):
                await discard_parked(store, "tally", "incident", 1, reason=" ")
            with pytest.raises(NotFound):
                await discard_parked(store, "tally", "incident", 7, reason="x")
            gone = await discard_parked(store, "tally", "incident", 1, reason="a test that was never meant to be")
            assert gone.event == first.id
            assert (await retry_parked(store, found, "a")).applied == 1
            assert await tallied(store) == [2]


async def test_what_cannot_be_read_is_parked_and_nothing_else(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        good = bus.make(NOTED, "good")
        broken_contract = bus.make(NOTED, "broken", {"text": {"not": "text"}})
        unknown_major = bus.make("incident.IncidentNoted.v9", "newer", {"text": "x"})
        not_json = bus.make(NOTED, "not-json")
        foreign = bus.make(NOTED, "foreign")
        unwanted = bus.make("incident.IncidentInventedLater.v1", "unwanted", {"anything": 1})
        behind = bus.make(NOTED, "newer")
        last = bus.make(NOTED, "last")
        await bus.publish(good, broken_contract, unknown_major)
        await bus.js.publish(
            subjects.event_subject(not_json.type, "x"), wire(not_json)[:-9], headers={"Nats-Msg-Id": str(not_json.id)}
        )
        await bus.js.publish(subjects.event_subject(not_json.type, "x"), b"\xff junk without a number")
        body = wire(foreign).replace(b"/opsledger/test/incident", b"/opsledger/test/sla")
        await bus.js.publish(subjects.event_subject(foreign.type, "x"), body, headers=foreign.headers())
        await bus.publish(unwanted, behind, last)
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 8)
            assert await tallied(store) == [1, 8]
            parked = {row.sequence: row for row in await list_parked(store.pool, "tally")}
            assert set(parked) == {2, 3, 4, 5, 7, -5}
            assert "breaks the contract" in parked[2].error
            assert "unknown major" in parked[3].error
            assert "not an Opsledger event" in parked[4].error
            assert "source" in parked[5].error
            assert "behind" in parked[7].error
            assert parked[4].event == not_json.id
            assert isinstance(parked[-5].event, UUID)
            assert parked[-5].body == b"\xff junk without a number"
            again = await retry_parked(store, found, "newer")
            assert (again.applied, again.left) == (0, 2)


async def test_a_batch_that_waits_for_a_retry_sees_what_the_retry_left(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        poison = bus.make(NOTED, "a")
        tally.failing[str(poison.id)] = ValueError()
        await bus.publish(poison)
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 1)
            tally.failing.clear()
            tally.entered.clear()
            tally.pause = asyncio.Event()
            retrying = asyncio.create_task(retry_parked(store, found, "a"))
            await asyncio.wait_for(tally.entered.wait(), 5)  # it holds the checkpoint row
            await bus.publish(bus.make(NOTED, "a"))
            await eventually(lambda: _waiting_for_a_lock(store))
            tally.pause.set()
            assert (await retrying).applied == 1
            assert await _reached(store, 2)
            assert await list_parked(store.pool, "tally") == [], "nothing waits behind an event that went through"
            assert await tallied(store) == [1, 2]


async def _waiting_for_a_lock(store: EventStore) -> bool:
    return bool(
        await store.pool.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
    )


async def test_unnumbered_events_are_retried_after_numbered_ones_in_the_order_of_the_stream(database: str) -> None:
    tally = Tally()
    async with a_store(database) as store:
        for sequence in (-9, -12, 7, 3):
            event = envelope(NOTED, "a", sequence)
            body = replace(event, sequence=None).to_json()
            await park(store.pool, "tally", [Parked(event.id, "incident", sequence, "a", event.type, body, "x")])
        assert [row.sequence for row in await list_parked(store.pool)] == [3, 7, -9, -12]
        order: list[str] = []

        async def handle(_: Transaction, envelopes: Sequence[Envelope]) -> None:
            order.extend(str(event.id) for event in envelopes)

        again = await retry_parked(store, subscription(handle), "a")
        assert (again.applied, again.left) == (4, 0)
        assert order == [str(envelope(NOTED, "a", sequence).id) for sequence in (3, 7, -9, -12)]
    assert tally.batches == []


async def test_a_retry_that_fails_before_it_reads_anything_says_why(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_store(database) as store:

        async def fails(*_: object) -> None:
            raise LookupError("no such lock")

        monkeypatch.setattr(checkpoint, "lock", fails)
        with pytest.raises(LookupError):
            await retry_parked(store, subscription(Tally()), "a")


async def test_a_parked_error_keeps_no_value_of_the_event(database: str, fresh_nats: str) -> None:
    async def handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
        for event in envelopes:
            await transaction.connection.execute("insert into person values ($1)", event.data["text"])

    found = subscription(handle)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        await store.pool.execute("create table probe.person (name text constraint one_name unique)")
        await bus.publish(*(bus.make(NOTED, f"agg-{i}", {"text": "Jane Doe"}) for i in range(2)))
        with capture_logs() as logged:
            async with subscribed(fresh_nats, store, found):
                assert await _reached(store, 2)
        parked = await list_parked(store.pool)
        assert [row.error for row in parked] == ["UniqueViolationError: 23505 one_name person"]
        assert [line["event"] for line in logged if line["event"] == "event_parked"] == ["event_parked"]
        assert "Jane" not in repr(logged)
        assert not [line for line in logged if "exc_info" in line]


async def test_an_event_whose_handling_always_takes_too_long_is_parked(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        events = [bus.make(NOTED, f"agg-{i}") for i in range(5)]
        tally.failing[str(events[2].id)] = TimeoutError()
        await bus.publish(*events)
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 5)
            assert [row.sequence for row in await list_parked(store.pool, "tally")] == [3]
            assert await tallied(store) == [1, 2, 4, 5]
            assert tally.batches.count(1) >= 4 + 2, "it was tried more than once"


async def test_a_timeout_is_waited_for_while_the_database_does_not_answer(
    database: str, fresh_nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_: Any) -> bool:
        return False

    monkeypatch.setattr(Applier, "_database_answers", silent)
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        (event,) = await bus.noted(1)
        tally.failing[str(event.id)] = TimeoutError()
        async with subscribed(fresh_nats, store, found):

            async def tried() -> bool:
                return len(tally.batches) >= 5

            await eventually(tried)
            assert await list_parked(store.pool) == []
            tally.failing.clear()
            assert await _reached(store, 1)


async def test_what_is_applied_names_the_contexts_with_parked_events(database: str) -> None:
    async with a_store(database) as store:
        for name, sequences in (("one", '{"incident":5,"notify":9}'), ("two", '{"incident":3}')):
            await store.pool.execute(
                "insert into es.checkpoint (subscription, version, sequences) values ($1, 1, $2::text::jsonb)",
                name,
                sequences,
            )
        event = envelope(NOTED, "a", 2)
        await park(store.pool, "two", [Parked(event.id, "incident", 2, "a", event.type, b"", "x")])
        one, two = (subscription(Tally(), name=name, contexts=("incident", "notify")) for name in ("one", "two"))
        assert await checkpoint.applied(store.pool, [one]) == Applied({"incident": 5, "notify": 9}, frozenset())
        assert await checkpoint.applied(store.pool, [one, two]) == Applied(
            {"incident": 3, "notify": 0}, frozenset({"incident"})
        )
        three = subscription(Tally(), name="three")
        assert await checkpoint.applied(store.pool, [three]) == Applied({"incident": 0}, frozenset())


async def test_a_parked_event_of_one_context_holds_up_no_other_context(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally, contexts=("incident", "sla"), reads=(NOTED, MET))
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        poison = bus.make(NOTED, "a")
        tally.failing[str(poison.id)] = ZeroDivisionError()
        await bus.publish(poison, bus.make(MET, "clock"), bus.make(MET, "clock"), bus.make(NOTED, "b"))
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, 2)
            assert await wait_applied(store.pool, ["tally"], "sla", 2, 20)
            assert await tallied(store, "sla") == [1, 2]
            assert await tallied(store) == [2]
