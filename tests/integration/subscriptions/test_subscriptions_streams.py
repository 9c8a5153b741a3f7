"""Whatever becomes of the stream, publication numbers tell what is applied."""

import asyncio
import hashlib
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from tests.support.bus import (
    MET,
    NOTED,
    Bus,
    Tally,
    a_bus,
    a_store,
    envelope,
    sequences,
    subscribed,
    subscription,
    tallied,
)
from tests.support.waiting import eventually

from opsledger_events import Envelope, subjects
from opsledger_runtime.embedded.processes import free_port
from opsledger_runtime.projections import Projection, Table, digest
from opsledger_runtime.provision import provision
from opsledger_runtime.rebuild import rebuilt_digest
from opsledger_runtime.store import EventStore, Transaction
from opsledger_runtime.subscriptions import Subscriber, subscriber, wait_applied
from opsledger_runtime.subscriptions.consumers import stream_identity
from opsledger_runtime.subscriptions.delivery import Delivery

TALLY_TABLE = Table("tally", ("context", "sequence"))


async def _fill(connection: Any, envelopes: Sequence[Envelope]) -> None:
    await connection.execute(
        "insert into tally (context, sequence, aggregate, type)"
        " select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[])",
        [e.context for e in envelopes],
        [e.sequence for e in envelopes],
        [e.subject for e in envelopes],
        [e.type_name for e in envelopes],
    )


TALLIES = Projection("tally", 1, frozenset({NOTED, MET}), (TALLY_TABLE,), _fill)


async def _digest(store: EventStore) -> str:
    async with store.pool.acquire() as connection:
        return await digest(connection, TALLIES, "probe")


async def _reached(store: EventStore, **numbers: int) -> bool:
    return all([await wait_applied(store.pool, ["tally"], name, no, 30) for name, no in numbers.items()])


async def _blocked(one: Subscriber) -> Any:
    return (await one.status())["blocked"]


async def test_a_stream_rebuilt_in_another_order_between_contexts_gives_the_same_digest(
    database: str, fresh_nats: str
) -> None:
    found = subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET))
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        for _ in range(30):
            await bus.publish(bus.make(NOTED, "a"), bus.make(MET, "b"))
        assert await _reached(store, incident=30, sla=30)
        before = await _digest(store)
        await bus.js.delete_stream(subjects.STREAM)
        await provision(bus.js, {"probe": [found]})
        await bus.publish(*bus.sent["sla"], *bus.sent["incident"])
        more = [bus.make(MET, "b"), bus.make(NOTED, "a")]
        await bus.publish(*more)
        assert await _reached(store, incident=31, sla=31)
        assert await tallied(store) == list(range(1, 32))
        assert await tallied(store, "sla") == list(range(1, 32))
        await store.pool.execute("delete from tally where sequence = 31")
        assert await _digest(store) == before


async def test_a_deleted_consumer_is_used_again_once_it_is_provisioned(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found) as one:
        await bus.noted(20)
        assert await _reached(store, incident=20)
        await bus.js.delete_consumer(subjects.STREAM, "probe_tally_a")
        await bus.noted(20)
        await eventually(lambda: _blocked(one))
        await provision(bus.js, {"probe": [found]})
        assert await _reached(store, incident=40)
        assert await tallied(store) == list(range(1, 41))
        assert await eventually(lambda: _is_none(one))


async def _is_none(one: Subscriber) -> bool:
    return await _blocked(one) is None


async def test_a_lost_tail_whose_sequences_are_given_anew_is_recognised(database: str, fresh_nats: str) -> None:
    found = subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET))
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        async with subscribed(fresh_nats, store, found):
            await bus.noted(10)
            await bus.noted(10, context_type=MET)
            assert await _reached(store, incident=10, sla=10)
        # The stream forgets its last 10 and gives their places to others; its identity stays what it was.
        await _replace_stream(bus.js, found, bus.sent["incident"])
        await _adopt_identity(store, bus.js)
        fresh = [bus.make(NOTED, "a") for _ in range(10)]
        await bus.publish(*fresh[:10], *bus.sent["sla"])
        async with subscribed(fresh_nats, store, found):
            assert await _reached(store, incident=20, sla=10)
            assert await tallied(store) == list(range(1, 21))
            assert await tallied(store, "sla") == list(range(1, 11))


async def test_a_stream_shorter_than_the_checkpoint_is_read_from_the_beginning(database: str, fresh_nats: str) -> None:
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        async with subscribed(fresh_nats, store, found):
            await bus.noted(20)
            assert await _reached(store, incident=20)
        await _replace_stream(bus.js, found, bus.sent["incident"][:12])
        await _adopt_identity(store, bus.js)
        async with subscribed(fresh_nats, store, found):
            await bus.publish(*bus.sent["incident"][12:], bus.make(NOTED, "a"))
            assert await _reached(store, incident=21)
            assert await tallied(store) == list(range(1, 22))


async def _replace_stream(js: JetStreamContext, found: Any, events: Sequence[Envelope]) -> None:
    await js.delete_stream(subjects.STREAM)
    await provision(js, {"probe": [found]})
    await Bus(js).publish(*events)


async def _adopt_identity(store: EventStore, js: JetStreamContext) -> None:
    await store.pool.execute(
        "update es.checkpoint set stream = $1", stream_identity(await js.stream_info(subjects.STREAM))
    )


async def test_a_gap_is_waited_for_while_the_other_context_goes_on(database: str, fresh_nats: str) -> None:
    found = subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET))
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found) as one:
        notes = [bus.make(NOTED, "a") for _ in range(10)]
        await bus.publish(*notes[:3], *notes[5:])
        assert await _reached(store, incident=3)
        assert "incident 4 to 5 are missing" in await eventually(lambda: _blocked(one))
        await bus.noted(5, context_type=MET)
        assert await _reached(store, sla=5)
        assert await tallied(store) == [1, 2, 3]
        await bus.publish(*notes[3:5])
        assert await _reached(store, incident=10)
        assert await tallied(store) == list(range(1, 11))
        assert await tallied(store, "sla") == [1, 2, 3, 4, 5]
        assert await eventually(lambda: _is_none(one))


async def test_a_gap_lets_the_other_context_get_to_the_end_of_a_long_stream(
    database: str, fresh_nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "_RESCAN_FIRST", 0.01)
    monkeypatch.setattr(subscriber, "_RESCAN_LONGEST", 0.01)
    tally = Tally()
    found = subscription(tally, contexts=("incident", "sla"), reads=(NOTED, MET))
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        late = bus.make(NOTED, "a")
        await bus.publish(bus.make(NOTED, "a"))
        await bus.publish(*(bus.make(MET, f"clock-{n % 7}") for n in range(5000)))
        deliver = Delivery.next_batch

        async def slow(self: Delivery) -> list[Any]:
            await asyncio.sleep(0.05)
            return await deliver(self)

        monkeypatch.setattr(Delivery, "next_batch", slow)
        async with subscribed(fresh_nats, store, found) as one:
            assert await wait_applied(store.pool, ["tally"], "sla", 5000, 20)
            assert "incident 1 to 1 are missing" in await eventually(lambda: _blocked(one))
            await bus.publish(late)
            assert await wait_applied(store.pool, ["tally"], "incident", 2, 20)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_events_shuffled_between_contexts_give_the_same_digest_and_that_of_a_rebuild(
    database: str, fresh_nats: str, seed: int
) -> None:
    found = subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET))
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        waiting = {name: [bus.make(kind, "a") for _ in range(60)] for name, kind in (("i", NOTED), ("s", MET))}
        dice = random.Random(seed)
        order = []
        while any(waiting.values()):
            order.append(waiting[dice.choice([name for name, left in waiting.items() if left])].pop(0))
        await bus.publish(*order)
        assert await _reached(store, incident=60, sla=60)
        live = await _digest(store)
        async with store.pool.acquire() as connection:
            assert await rebuilt_digest(connection, TALLIES, "probe", _slowly(order)) == live
            assert await rebuilt_digest(connection, TALLIES, "probe", _slowly(order[:-1])) != live
            assert await connection.fetchval("select count(*) from pg_namespace where nspname like 'rebuild%'") == 0
            assert await connection.fetchval("show search_path") == "probe, es"


async def _slowly(events: Sequence[Envelope]) -> AsyncIterator[Sequence[Envelope]]:
    for start in range(0, len(events), 50):
        yield events[start : start + 50]


async def test_a_rebuild_has_keys_and_numbers_of_its_own(database: str) -> None:
    async def fill(connection: Any, envelopes: Sequence[Envelope]) -> None:
        for one in envelopes:
            number = await connection.fetchval("insert into parent (name) values ($1) returning id", one.subject)
            await connection.execute("insert into child (parent, serial_name) values ($1, $2)", number, one.subject)
        await connection.execute("delete from parent where name = 'gone'")

    tables = (Table("parent", ("name",), ("id",)), Table("child", ("serial_name",), ("no", "parent")))
    projection = Projection("family", 1, frozenset({NOTED}), tables, fill)
    async with a_store(database) as store, store.pool.acquire() as connection:
        await connection.execute(
            "create table parent (id bigint generated always as identity primary key, name text unique);"
            "create table child (no serial primary key, serial_name text,"
            " parent bigint references parent on delete cascade)"
        )
        events = [envelope(NOTED, "kept", 1), envelope(NOTED, "gone", 2)]
        await fill(connection, events)
        live = await digest(connection, projection, "probe")
        assert live != hashlib.sha256().hexdigest()
        assert await rebuilt_digest(connection, projection, "probe", _slowly(events)) == live
        assert await connection.fetchval("select nextval('child_no_seq')") == 3, "the live sequence was not drawn from"
        absent = Projection("absent", 1, frozenset({NOTED}), (Table("absent", ("x",)),), fill)
        with pytest.raises(LookupError, match="no table"):
            await rebuilt_digest(connection, absent, "probe", _slowly(events))


class _Server:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"nats://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = shutil.which("nats-server") or str(Path(sys.executable).parent / "nats-server")
        self.process = subprocess.Popen(
            [binary, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self, with_signal: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(with_signal)
        self.process.wait(10)


@contextmanager
def _a_server(folder: Path) -> Iterator[_Server]:
    server = _Server(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


async def test_servers_killed_restarted_and_emptied_lose_and_double_nothing(database: str, tmp_path: Path) -> None:
    found = subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET))
    with _a_server(tmp_path / "js") as server:
        async with a_store(database) as store, a_bus(await _up(server), found) as bus:
            async with subscribed(server.url, store, found):
                await bus.noted(300)
                assert await _reached(store, incident=300)
                for killed in (signal.SIGKILL, signal.SIGTERM):
                    server.stop(killed)
                    server.start()
                    await _up(server)
                    await _republish(bus, found)
                    await bus.noted(100)
                    assert await _reached(store, incident=len(bus.sent["incident"]))
                server.stop(signal.SIGKILL)
                shutil.rmtree(tmp_path / "js")
                server.start()
                await _up(server)
                await bus.noted(0)
                await _republish(bus, found)
                await bus.noted(50, context_type=MET)
                await bus.noted(50)
                assert await _reached(store, incident=550, sla=50)
            assert await tallied(store) == list(range(1, 551))
            assert await tallied(store, "sla") == list(range(1, 51))
            assert await sequences(store) == {"incident": 550, "sla": 50}


async def _republish(bus: Any, found: Any) -> None:
    """As a relay would: whatever the stream lost, with the same numbers."""
    await eventually(lambda: _provisioned(bus, found))
    for context, sent in bus.sent.items():
        try:
            last = await bus.js.get_last_msg(subjects.STREAM, subjects.context_subjects(context))
            there = Envelope.from_json(last.data).sequence
        except Exception:
            there = 0
        await bus.publish(*sent[there:])


async def _provisioned(bus: Any, found: Any) -> bool:
    try:
        await provision(bus.js, {"probe": [found]})
    except Exception:
        return False
    return True


async def _up(server: _Server) -> str:
    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(answers)
    return server.url


async def test_a_handler_may_append_in_the_same_transaction(database: str, fresh_nats: str) -> None:
    async def handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
        assert transaction.now.tzinfo is not None
        await _fill(transaction.connection, envelopes)

    found = subscription(handle)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        await bus.noted(3)
        assert await _reached(store, incident=3)
