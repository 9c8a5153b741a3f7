"""Timers fire once, in due order, and not before what they wait for is known to be read."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.bus import a_store, working
from tests.support.waiting import eventually

from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime import ids, timers
from opsledger_runtime.caught_up import Applied
from opsledger_runtime.clock import FixedClock, OffsetClock, machine_time, monotonic, set_offset
from opsledger_runtime.decider import Decider
from opsledger_runtime.lease import Lease
from opsledger_runtime.store import EventStore, Metadata, Transaction
from opsledger_runtime.timers import Due, TimerQueue, TimerWorker, cancel, schedule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Word:
    time: datetime
    last: int
    heard: float


NOTES: Decider[str, None] = Decider(lambda text, _: [IncidentNoted(text=text)], lambda state, _: state, None)


class Words:
    """Relays' announcements as a test wants them."""

    def __init__(self) -> None:
        self.said: dict[str, Word] = {}
        self.numbers: dict[str, int] = {}
        self.parked: set[str] = set()

    def say(self, context: str, time: datetime, last: int) -> None:
        self.said[context] = Word(time, last, monotonic())

    def of(self, context: str) -> Word | None:
        return self.said.get(context)

    async def applied(self) -> Applied:
        return Applied(dict(self.numbers), frozenset(self.parked))


class Bell:
    """Remembers what fired, in the database of the firing transaction."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.tries: list[str] = []

    async def __call__(self, transaction: Transaction, timers: Sequence[Due]) -> None:
        for due in timers:
            self.tries.append(due.key)
            if due.key in self.failing:
                raise ValueError(due.key)
            await transaction.connection.execute(
                "insert into fired (key, due, provisional, at) values ($1, $2, $3, $4)",
                due.key,
                due.due,
                due.provisional,
                transaction.now,
            )


async def _fired(store: EventStore) -> list[str]:
    return [row["key"] for row in await store.pool.fetch("select key from fired order by no")]


@asynccontextmanager
async def _a_store(database: str, clock: Any) -> AsyncIterator[EventStore]:
    async with a_store(database, clock, size=8) as store:
        await store.pool.execute(
            "create table fired (no serial, key text, due timestamptz, provisional boolean, at timestamptz)"
        )
        yield store


def _worker(store: EventStore, queues: list[TimerQueue], words: Words, **options: Any) -> TimerWorker:
    lease = Lease(store.pool, "timers", holder=ids.new_id(), renew_every=0.2, expires_after=2.0)
    return TimerWorker(queues, store, words, lease, words.applied, **options)


async def _set(store: EventStore, queue: str, *timers: tuple[str, datetime]) -> None:
    async with store.transaction() as transaction:
        await schedule(transaction.connection, queue, dict(timers))


async def test_due_timers_fire_once_in_order_of_due_and_key(database: str) -> None:
    bell = Bell()
    async with _a_store(database, FixedClock(NOON)) as store:
        timers = [(f"{n % 10}-{n:04}", NOON - timedelta(seconds=n // 100)) for n in range(450)]
        await _set(store, "bell", *timers, ("later", NOON + timedelta(hours=1)))
        worker = _worker(store, [TimerQueue("bell", bell)], Words())
        async with working(worker), working(_worker(store, [TimerQueue("bell", bell)], Words())):
            await eventually(lambda: _count(store, 450))
            assert await _fired(store) == [key for key, due in sorted(timers, key=lambda timer: (timer[1], timer[0]))]
            assert await worker.status() == [
                {"queue": "bell", "count": 1, "next_due": (NOON + timedelta(hours=1)).isoformat()}
            ]


async def _count(store: EventStore, wanted: int) -> bool:
    return len(await _fired(store)) == wanted


async def test_moved_and_cancelled_timers_keep_to_their_last_word(database: str) -> None:
    bell, clock = Bell(), FixedClock(NOON)
    async with _a_store(database, clock) as store:
        soon = NOON + timedelta(seconds=10)
        await _set(store, "bell", ("moved", soon), ("cancelled", soon), ("stays", soon))
        async with store.transaction() as transaction:
            await cancel(transaction.connection, "bell", ["cancelled"])
        await _set(store, "bell", ("moved", NOON + timedelta(seconds=99)))
        with pytest.raises(ValueError, match="offset"):
            await schedule(store.pool, "bell", {"x": datetime(2026, 1, 1)})  # noqa: DTZ001
        async with working(_worker(store, [TimerQueue("bell", bell)], Words())):
            clock.instant = soon
            await eventually(lambda: _count(store, 1))
            clock.instant = NOON + timedelta(seconds=99)
            await eventually(lambda: _count(store, 2))
            assert await _fired(store) == ["stays", "moved"]


async def test_a_timer_waits_until_its_contexts_are_read_beyond_its_due_instant(database: str) -> None:
    bell, words = Bell(), Words()
    words.numbers = {"incident": 4}
    queues = [TimerQueue("waits", bell, ("incident", "sla")), TimerQueue("free", bell)]
    async with _a_store(database, FixedClock(NOON)) as store:
        await _set(store, "waits", ("waits", NOON - timedelta(seconds=5)))
        words.say("incident", NOON - timedelta(seconds=6), 4)
        words.say("sla", NOON, 0)
        async with working(_worker(store, queues, words)):
            await _proof_of_turns(store, bell, "1")
            assert await _fired(store) == ["free-1"], "the relay has not spoken of the due instant yet"
            words.say("incident", NOON - timedelta(seconds=5), 7)
            await _proof_of_turns(store, bell, "2")
            assert "waits" not in await _fired(store), "events 5 to 7 are not applied yet"
            words.numbers["incident"] = 7
            await eventually(lambda: _has(store, "waits"))
            assert await store.pool.fetchval("select provisional from fired where key = 'waits'") is False


async def _proof_of_turns(store: EventStore, bell: Bell, mark: str) -> None:
    """Another timer that waits for nothing has fired, twice: the worker has looked at everything meanwhile."""
    for key in (f"free-{mark}", f"again-{mark}"):
        await _set(store, "free", (key, NOON - timedelta(seconds=1)))
        await eventually(lambda key=key: _has(store, key))  # type: ignore[misc]
    await store.pool.execute("delete from fired where key like 'again-%'")


async def _has(store: EventStore, key: str) -> bool:
    return key in await _fired(store)


async def test_a_subscription_that_is_always_a_little_behind_still_lets_earlier_timers_fire(database: str) -> None:
    bell, words = Bell(), Words()
    async with _a_store(database, FixedClock(NOON)) as store:
        await _set(store, "waits", ("early", NOON - timedelta(seconds=60)))
        words.numbers = {"incident": 0}
        words.say("incident", NOON - timedelta(seconds=30), 10)

        async def lagging() -> bool:
            words.numbers["incident"] += 10
            words.say("incident", NOON - timedelta(seconds=20), words.numbers["incident"] + 15)
            return await _has(store, "early")

        async with working(_worker(store, [TimerQueue("waits", bell, ("incident",))], words)):
            await eventually(lagging, every=0.15)


async def test_after_long_silence_a_timer_fires_provisionally(database: str) -> None:
    bell, words = Bell(), Words()
    async with _a_store(database, FixedClock(NOON)) as store:
        await _set(store, "waits", ("unsure", NOON - timedelta(seconds=5)), ("sure", NOON - timedelta(seconds=50)))
        words.say("incident", NOON - timedelta(seconds=20), 0)
        queue = TimerQueue("waits", bell, ("incident",))
        async with working(_worker(store, [queue], words, silence_seconds=1.0)):
            await eventually(lambda: _count(store, 2))
        rows = await store.pool.fetch("select key, provisional from fired order by no")
        assert [(row["key"], row["provisional"]) for row in rows] == [("sure", False), ("unsure", True)]


async def test_a_timer_that_rests_on_a_parked_event_fires_provisionally(database: str) -> None:
    bell, words = Bell(), Words()
    async with _a_store(database, FixedClock(NOON)) as store:
        await _set(store, "waits", ("unsure", NOON - timedelta(seconds=5)))
        words.numbers, words.parked = {"incident": 4}, {"incident"}
        words.say("incident", NOON, 4)
        async with working(_worker(store, [TimerQueue("waits", bell, ("incident",))], words)):
            await eventually(lambda: _count(store, 1))
        assert await store.pool.fetchval("select provisional from fired") is True


class _Free:
    async def guard(self, connection: Any) -> None:
        """Nobody else leads."""


async def test_a_look_reads_the_first_of_each_queue_and_not_the_table(database: str) -> None:
    async with _a_store(database, FixedClock(NOON)) as store:
        await store.pool.execute(
            "insert into es.timer (queue, key, due)"
            " select 'bell', n::text, $1::timestamptz + n * interval '1 second' from generate_series(1, 20000) n",
            NOON,
        )
        await store.pool.execute("analyze es.timer")
        plan = await store.pool.fetchval(f"explain (analyze, format json) {timers.SOONEST}", ["bell"], ["bell"], ["1"])
        assert "Seq Scan" not in plan
        worker = _worker(store, [TimerQueue("bell", Bell()), TimerQueue("empty", Bell())], Words())
        assert await worker._turn(_Free()) == NOON + timedelta(seconds=1)


async def test_a_resting_timer_keeps_nobody_awake(database: str) -> None:
    bell = Bell()
    bell.failing = {"bad"}
    async with _a_store(database, FixedClock(NOON)) as store:
        await _set(store, "bell", ("bad", NOON - timedelta(seconds=9)))
        worker = _worker(store, [TimerQueue("bell", bell)], Words())
        await worker._turn(_Free())
        assert bell.tries.count("bad") == 2, "with the others and alone"
        assert await worker._turn(_Free()) is None
        assert bell.tries.count("bad") == 2


async def test_a_timer_that_failed_and_is_gone_is_forgotten(database: str) -> None:
    async with _a_store(database, FixedClock(NOON)) as store:
        worker = _worker(store, [TimerQueue("bell", Bell())], Words())
        worker._resting = {("bell", "gone"): (monotonic() - 61.0, 1.0), ("bell", "rests"): (monotonic() + 61.0, 1.0)}
        await worker._turn(_Free())
        assert set(worker._resting) == {("bell", "rests")}


async def test_only_who_set_a_timer_wakes_the_worker(database: str) -> None:
    async with _a_store(database, FixedClock(NOON)) as store:
        timers.was_set()
        assert not timers.was_set()
        await asyncio.create_task(_set(store, "bell", ("elsewhere", NOON)))
        assert not timers.was_set(), "another task's timers are its own to tell"
        await _set(store, "bell", ("here", NOON))
        assert timers.was_set()
        assert not timers.was_set()


async def test_a_failing_timer_is_tried_again_and_holds_up_no_other(database: str) -> None:
    bell = Bell()
    bell.failing = {"bad"}
    async with _a_store(database, FixedClock(NOON)) as store:
        await _set(store, "bell", ("bad", NOON - timedelta(seconds=9)), *((f"k{n}", NOON) for n in range(5)))
        async with working(_worker(store, [TimerQueue("bell", bell)], Words())):
            await eventually(lambda: _count(store, 5))
            assert await _fired(store) == [f"k{n}" for n in range(5)]
            await eventually(lambda: _tried(bell, 4))
            bell.failing = set()
            await eventually(lambda: _count(store, 6))


async def _tried(bell: Bell, times: int) -> bool:
    return bell.tries.count("bad") >= times


async def test_a_timer_may_set_itself_anew(database: str) -> None:
    clock = FixedClock(NOON)
    async with _a_store(database, clock) as store:
        bell = Bell()

        async def again(transaction: Transaction, timers: Sequence[Due]) -> None:
            await bell(transaction, timers)
            await schedule(transaction.connection, "again", {due.key: due.due + timedelta(hours=1) for due in timers})

        await _set(store, "again", ("tick", NOON))
        async with working(_worker(store, [TimerQueue("again", again)], Words())):
            await eventually(lambda: _count(store, 1))
            clock.instant = NOON + timedelta(hours=3)
            await eventually(lambda: _count(store, 4))


async def test_a_timer_that_somebody_moves_while_it_fires_keeps_its_new_instant(database: str) -> None:
    async with _a_store(database, FixedClock(NOON)) as store:
        bell = Bell()

        async def slow(transaction: Transaction, timers: Sequence[Due]) -> None:
            await bell(transaction, timers)
            await _set(store, "slow", ("moved", NOON + timedelta(hours=1)))

        await _set(store, "slow", ("moved", NOON))
        worker = _worker(store, [TimerQueue("slow", slow)], Words())
        async with working(worker):
            await eventually(lambda: _count(store, 1))
        assert [(row["key"], row["due"]) for row in await store.pool.fetch("select key, due from es.timer")] == [
            ("moved", NOON + timedelta(hours=1))
        ]


async def test_firing_and_appending_take_their_locks_in_one_order(database: str) -> None:
    async with _a_store(database, FixedClock(NOON)) as store:
        appended, fired = asyncio.Event(), asyncio.Event()

        async def fire(transaction: Transaction, timers: Sequence[Due]) -> None:
            await transaction.load(NOTES, "story")
            fired.set()
            await appended.wait()
            for due in timers:
                await transaction.execute(NOTES, "story", due.key, Metadata(ids.new_id(), "service:test"))

        await _set(store, "bell", ("x", NOON))
        async with working(_worker(store, [TimerQueue("bell", fire)], Words())):
            await fired.wait()
            async with store.transaction() as transaction:
                await transaction.execute(NOTES, "story", "first", Metadata(ids.new_id(), "person-1"))
                await transaction.flush()
                appended.set()
                await eventually(lambda: _somebody_waits(store))
                await cancel(transaction.connection, "bell", ["x"])
            await eventually(lambda: _none_left(store))
        assert [envelope.data["text"] for envelope in await store.history("story")] == ["first"]


async def _somebody_waits(store: EventStore) -> bool:
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(await store.pool.fetchval(query))


async def _none_left(store: EventStore) -> bool:
    return not await store.pool.fetchval("select count(*) from es.timer")


async def test_a_moved_clock_is_noticed_within_a_second_and_a_half(database: str, tmp_path: Path) -> None:
    bell, file = Bell(), tmp_path / "offset"
    async with _a_store(database, OffsetClock(file)) as store:
        await _set(store, "bell", ("tomorrow", machine_time() + timedelta(days=1)))
        worker = _worker(store, [TimerQueue("bell", bell)], Words())
        async with working(worker):
            await eventually(lambda: _held(worker))
            moved = monotonic()
            set_offset(file, timedelta(days=1, seconds=1))
            await eventually(lambda: _count(store, 1))
            assert monotonic() - moved < 1.5


async def _held(worker: TimerWorker) -> bool:
    return worker._lease.held


async def test_a_second_worker_takes_over_and_nothing_fires_twice(database: str) -> None:
    bell, clock = Bell(), FixedClock(NOON)
    queues = [TimerQueue("bell", bell)]
    async with _a_store(database, clock) as store:
        await _set(store, "bell", *((f"a{n:03}", NOON) for n in range(100)))
        first, second = _worker(store, queues, Words()), _worker(store, queues, Words())
        async with working(second):
            async with working(first):
                await eventually(lambda: _count(store, 100))
                for step in range(1, 6):
                    await _set(store, "bell", *((f"b{step}{n:03}", NOON + timedelta(seconds=step)) for n in range(50)))
                    await store.pool.execute(
                        "update es.lease set holder = gen_random_uuid(), epoch = epoch + 1,"
                        " expires_at = clock_timestamp() + interval '0.3 seconds'"
                    )
                    clock.instant = NOON + timedelta(seconds=step)
                    await eventually(lambda step=step: _count(store, 100 + 50 * step))  # type: ignore[misc]
            await _set(store, "bell", ("last", NOON))
            await eventually(lambda: _has(store, "last"))
        keys = await _fired(store)
        assert len(keys) == len(set(keys)) == 351
        await asyncio.wait_for(store.pool.fetchval("select count(*) from es.timer"), 5)
