"""The event store on a real Postgres: versions, idempotence, order and rights."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from opsledger_events import Envelope, Event
from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime import ids, ledger
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import Invalid, VersionConflict
from opsledger_runtime.migrations import MigrationError, MigrationSet, migrate
from opsledger_runtime.projections import Projection, Table
from opsledger_runtime.store import EventStore, Metadata, Transaction

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Write:
    texts: tuple[str, ...]


def decide(command: Write, state: int) -> list[Event]:
    return [IncidentNoted(text=text) for text in command.texts]


NOTES: Decider[Write, int] = Decider(decide, lambda state, event: state + 1, 0)


async def _count(connection: Any, envelopes: Any) -> None:
    for envelope in envelopes:
        await connection.execute(
            "insert into note_count values ($1, 1) on conflict (id) do update set n = note_count.n + 1",
            envelope.subject,
        )


COUNT = Projection("note_count", 1, frozenset({IncidentNoted.type_name}), (Table("note_count", ("id",)),), _count)


@pytest.fixture
async def store(database: str) -> AsyncIterator[EventStore]:
    await migrate(database, [MigrationSet("opsledger_runtime", ("es",))], None)
    async with asyncpg.create_pool(database, min_size=1, max_size=12) as pool:
        await pool.execute("create table note_count (id text primary key, n integer not null)")
        yield EventStore("incident", "test", pool, FixedClock(START), [COUNT])


def metadata(command: UUID | None = None) -> Metadata:
    return Metadata(command_id=command or ids.new_id(), actor="person-1")


async def test_events_read_model_and_outbox_are_one(store: EventStore) -> None:
    async def fails(tx: Any) -> None:
        await tx.execute(NOTES, "a", Write(("lost",)), metadata())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await store.run(fails)
    written = await store.run(lambda tx: tx.execute(NOTES, "a", Write(("一", "二")), metadata()))
    assert [envelope.aggregateversion for envelope in written] == [1, 2]
    assert [envelope.data["text"] for envelope in await store.history("a")] == ["一", "二"]
    assert await store.pool.fetchval("select n from note_count where id = 'a'") == 2
    assert await store.pool.fetchval("select count(*) from es.outbox") == 2


async def test_stored_bytes_have_their_digest(store: EventStore) -> None:
    await store.run(lambda tx: tx.execute(NOTES, "a", Write(("核心交换机",)), metadata()))
    row = await store.pool.fetchrow("select body, salt, digest from es.event")
    assert row is not None
    assert ledger.digest_of(row["body"], row["salt"]) == row["digest"]


async def test_a_repeated_command_id_has_no_second_effect(store: EventStore) -> None:
    command = ids.new_id()
    first = await store.run(lambda tx: tx.execute(NOTES, "a", Write(("x",)), metadata(command)))
    again = await store.run(lambda tx: tx.execute(NOTES, "a", Write(("x",)), metadata(command)))
    assert len(first) == 1
    assert again == []
    assert len(await store.history("a")) == 1


async def test_the_same_command_id_at_once_has_one_effect(store: EventStore) -> None:
    command = ids.new_id()
    both = [store.run(lambda tx: tx.execute(NOTES, "a", Write(("x",)), metadata(command))) for _ in range(8)]
    assert sorted(len(found) for found in await asyncio.gather(*both)) == [0] * 7 + [1]


async def test_one_command_may_write_to_several_aggregates(store: EventStore) -> None:
    same = metadata()

    async def work(tx: Any) -> list[Envelope]:
        return [*await tx.execute(NOTES, "a", Write(("1",)), same), *await tx.execute(NOTES, "b", Write(("2",)), same)]

    first, second = await store.run(work)
    assert first.id != second.id


async def test_concurrent_decisions_are_taken_again(store: EventStore) -> None:
    await asyncio.gather(
        *(store.run(lambda tx, n=n: tx.execute(NOTES, "a", Write((str(n),)), metadata())) for n in range(6))
    )
    history = await store.history("a")
    assert [envelope.aggregateversion for envelope in history] == list(range(1, 7))
    assert sorted(envelope.data["text"] for envelope in history) == [str(n) for n in range(6)]


async def test_a_stale_expected_version_is_refused(store: EventStore) -> None:
    await store.run(lambda tx: tx.execute(NOTES, "a", Write(("1",)), metadata()))
    with pytest.raises(VersionConflict):
        await store.run(lambda tx: tx.execute(NOTES, "a", Write(("2",)), metadata(), expected_version=0), retry=False)


async def test_time_never_falls_within_an_aggregate(store: EventStore) -> None:
    await store.run(lambda tx: tx.execute(NOTES, "a", Write(("1",)), metadata()))
    with pytest.raises(Invalid, match="before what is already recorded"):
        await store.run(lambda tx: tx.execute(NOTES, "a", Write(("2",)), metadata(), time=START - timedelta(seconds=1)))
    store.clock = FixedClock(START - timedelta(seconds=1))  # another machine whose clock is a second behind
    (event,) = await store.run(lambda tx: tx.execute(NOTES, "a", Write(("3",)), metadata()))
    assert event.time == START
    assert event.recordedtime == START - timedelta(seconds=1)


async def test_a_write_has_its_transaction_id_before_it_reads_the_clock(store: EventStore) -> None:
    class Stopped(Exception):
        pass

    class Breaking(FixedClock):
        def now(self) -> datetime:
            raise Stopped

    statements: list[str] = []
    async with store.pool.acquire() as connection:
        connection.add_query_logger(lambda query: statements.append(query.query))
        pool, store.pool = store.pool, _Only(connection)  # type: ignore[assignment]
        store.clock = Breaking(START)
        with pytest.raises(Stopped):
            async with store.transaction():
                pass
        store.pool = pool
    assert "pg_current_xact_id()" in statements[0]
    assert "rollback" in statements


class _Only:
    """A pool of one given connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def acquire(self) -> "_Only":
        return self

    async def __aenter__(self) -> Any:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_migrations_run_once_and_a_changed_file_is_refused(database: str) -> None:
    sets = [MigrationSet("opsledger_runtime", ("es",))]
    assert await migrate(database, sets, None) > 0
    assert await migrate(database, sets, None) == 0
    connection = await asyncpg.connect(database)
    await connection.execute("update es.schema_migration set digest = 'x'")
    await connection.close()
    with pytest.raises(MigrationError, match="forward-only"):
        await migrate(database, sets, None)


async def test_the_application_role_cannot_change_events(database: str) -> None:
    owner = await asyncpg.connect(database)
    role = f"app_{ids.new_id().hex}"
    await owner.execute(f"create role {role} login")
    try:
        await migrate(database, [MigrationSet("opsledger_runtime", ("es",))], role)
        await owner.execute(f"set role {role}")
        for statement in (
            "update es.event set version = 2",
            "delete from es.event",
            "truncate es.event",
            "update es.publication set no = 1",
            "delete from es.publication",
            "drop table es.event",
            "alter table es.event add column x int",
            "create table es.mine (x int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute(statement)
        await owner.execute("select * from es.event")
    finally:
        await owner.execute("reset role")
        await owner.execute(f"drop owned by {role}; drop role {role}")
        await owner.close()


async def test_a_refusal_stands_although_the_database_goes_away_meanwhile(store: EventStore) -> None:
    async def work(transaction: Transaction) -> None:
        transaction.connection.terminate()
        raise Invalid("refused")

    with pytest.raises(Invalid):
        await store.run(work)


async def test_a_cancellation_is_not_lost_with_the_connection(store: EventStore) -> None:
    async def work() -> None:
        async with store.transaction() as transaction:
            transaction.connection.terminate()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
