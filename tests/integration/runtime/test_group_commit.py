"""Commands that wait at the same time share a transaction, and none of them suffers from another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import structlog
from tests.support.bus import a_store

from opsledger_events import Envelope
from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime import ids
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import RuleViolated, VersionConflict
from opsledger_runtime.group_commit import MOST, GroupCommit
from opsledger_runtime.store import EventStore, Metadata, Transaction

SLOTS = 4


def decide(text: str, state: int) -> list[IncidentNoted]:
    if text == "refused":
        raise RuleViolated("Not this one.", rule="not_this")
    return [IncidentNoted(text=text)]


NOTES: Decider[str, int] = Decider(decide, lambda state, _: state + 1, 0)


@pytest.fixture
async def store(database: str) -> AsyncIterator[EventStore]:
    async with a_store(database, size=6) as found:
        yield found


@pytest.fixture
def slots() -> asyncio.Semaphore:
    return asyncio.Semaphore(SLOTS)


@pytest.fixture
def group(store: EventStore, slots: asyncio.Semaphore) -> GroupCommit:
    return GroupCommit(store, slots, SLOTS)


def note(aggregate: str, text: str = "x", **more: Any) -> Callable[[Transaction], Awaitable[list[Envelope]]]:
    metadata = Metadata(command_id=ids.new_id(), actor="person-1")

    async def work(tx: Transaction) -> list[Envelope]:
        return await tx.execute(NOTES, aggregate, text, metadata, **more)

    return work


class Busy:
    """Holds a transaction open until told to go on."""

    def __init__(self, group: GroupCommit) -> None:
        self._inside = asyncio.Event()
        self._go_on = asyncio.Event()
        self._task = asyncio.create_task(group.run(self._work))

    async def _work(self, tx: Transaction) -> None:
        self._inside.set()
        await self._go_on.wait()

    async def go_on(self) -> None:
        self._go_on.set()
        await self._task

    @classmethod
    async def several(cls, group: GroupCommit, count: int) -> "list[Busy]":
        """One after the other, so that each has a transaction of its own."""
        found = []
        for _ in range(count):
            found.append(cls(group))
            await found[-1]._inside.wait()
        return found


async def together(group: GroupCommit, works: list[Any], **options: Any) -> list[Any]:
    """Run them at once; they are in one transaction, since the loop does not turn between their arrivals."""
    tasks = [asyncio.create_task(group.run(work, **options)) for work in works]
    return await asyncio.gather(*tasks, return_exceptions=True)


async def transactions(store: EventStore) -> dict[str, str]:
    rows = await store.pool.fetch("select aggregate, xmin::text as xid from es.event")
    return {row["aggregate"]: row["xid"] for row in rows}


async def test_commands_that_come_together_share_one_transaction(store: EventStore, group: GroupCommit) -> None:
    found = await together(group, [note(f"a{n}") for n in range(10)])
    assert [len(events) for events in found] == [1] * 10
    assert len(set((await transactions(store)).values())) == 1


async def test_no_more_than_a_bounded_number_share(store: EventStore, group: GroupCommit) -> None:
    await together(group, [note(f"a{n}") for n in range(MOST + 5)])
    written = await transactions(store)
    assert len(written) == MOST + 5
    assert len(set(written.values())) == 2


async def test_later_commands_of_a_transaction_know_what_earlier_ones_appended(
    store: EventStore, group: GroupCommit
) -> None:
    await together(group, [note("a", str(n)) for n in range(5)])
    history = await store.history("a")
    assert [(event.aggregateversion, event.data["text"]) for event in history] == [(n + 1, str(n)) for n in range(5)]


async def test_a_refusal_is_its_own_commands_alone(store: EventStore, group: GroupCommit) -> None:
    found = await together(group, [note("a"), note("b", "refused"), note("c")])
    assert [type(one) for one in found] == [list, RuleViolated, list]
    assert set(await transactions(store)) == {"a", "c"}


async def test_what_is_refused_because_of_a_neighbour_that_was_undone_is_judged_again(
    store: EventStore, group: GroupCommit
) -> None:
    found = await together(group, [note("a", expected_version=0), note("b", "refused"), note("a", expected_version=0)])
    assert [type(one) for one in found] in (
        [list, RuleViolated, VersionConflict],
        [VersionConflict, RuleViolated, list],
    )
    assert len(await store.history("a")) == 1


async def test_a_named_version_is_not_retried_and_an_unnamed_one_is(store: EventStore, group: GroupCommit) -> None:
    await store.run(note("a"))
    (conflict,) = await together(group, [note("a", expected_version=0)], retry=False)
    assert isinstance(conflict, VersionConflict)
    tries = 0

    async def once_too_late(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        loaded = await tx.load(NOTES, "a")
        if tries < 3:
            await store.run(note("a"))
        await tx.execute(NOTES, "a", "mine", Metadata(command_id=ids.new_id(), actor="p"), loaded=loaded)

    assert await together(group, [once_too_late]) == [None]
    assert tries == 3


async def test_a_fault_in_one_leaves_the_others_whole(store: EventStore, group: GroupCommit) -> None:
    async def broken(tx: Transaction) -> None:
        await note("never")(tx)
        await tx.connection.execute("select 1/0")

    found = await together(group, [note("a"), broken, note("b")])
    assert [type(one) for one in found] == [list, asyncpg.DivisionByZeroError, list]
    assert set(await transactions(store)) == {"a", "b"}


async def test_a_commit_that_fails_is_told_to_everyone_and_not_tried_again(
    store: EventStore, group: GroupCommit
) -> None:
    await store.pool.execute("create table once (no integer unique deferrable initially deferred)")
    runs = 0

    async def twice(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        await tx.connection.execute("insert into once values (1)")

    found = await together(group, [note("a"), twice, twice])
    assert [type(one) for one in found] == [asyncpg.UniqueViolationError] * 3
    assert runs == 2
    assert await transactions(store) == {}


async def test_a_caller_that_went_away_takes_nobody_along(store: EventStore, group: GroupCommit) -> None:
    (busy,) = await Busy.several(group, 1)
    gone = asyncio.create_task(group.run(note("gone")))
    stays = asyncio.create_task(group.run(note("stays")))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    await busy.go_on()
    assert gone.cancelled()
    assert "stays" in await transactions(store)


async def test_who_waits_for_nothing_is_not_held_up_by_who_waits_for_a_lock(
    store: EventStore, group: GroupCommit
) -> None:
    several = await Busy.several(group, 2)
    await group.run(note("a"))
    for busy in several:
        await busy.go_on()
    assert set(await transactions(store)) == {"a"}


async def test_slots_bound_how_many_transactions_run(
    store: EventStore, group: GroupCommit, slots: asyncio.Semaphore
) -> None:
    """A fifth waits for one of four, and is neither lost nor refused."""
    several = await Busy.several(group, SLOTS)
    late = asyncio.create_task(group.run(note("late")))
    assert slots.locked()
    await several[0].go_on()
    await late
    for busy in several[1:]:
        await busy.go_on()
    assert set(await transactions(store)) == {"late"}


async def test_each_command_is_logged_as_its_own_request(group: GroupCommit) -> None:
    seen: dict[str, Any] = {}

    async def ask(name: str) -> None:
        structlog.contextvars.bind_contextvars(command_id=name)

        async def work(tx: Transaction) -> None:
            seen[name] = structlog.contextvars.get_contextvars()["command_id"]

        await group.run(work)

    await asyncio.gather(*(asyncio.create_task(ask(name)) for name in ("a", "b", "c")))
    assert seen == {"a": "a", "b": "b", "c": "c"}
