"""Generated histories in a real store: written by its rules, found by the doors, never written twice."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from tests.support.incident_desk import START, Desk

from incident import generating
from incident.generating import Plan
from incident.projections.incident_queue import INCIDENT_QUEUE
from incident.recording import Recorded, prefix, record
from opsledger import filling
from opsledger.generate import histories
from opsledger.writers import BATCH, Target, WriterFailed, write
from opsledger_events import Envelope
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest


def plan(count: int, **given: Any) -> Plan:
    return Plan(**{"seed": 1, "first": 0, "count": count, "start": START - timedelta(days=90), "until": START, **given})


async def events(desk: Desk) -> list[Envelope]:
    rows = await desk.pool.fetch("select body from es.outbox o join es.event e on e.id = o.event order by o.position")
    return [Envelope.from_json(row["body"]) for row in rows]


async def written(target: Target, of: Plan, writers: int = 2) -> Recorded:
    total = Recorded()
    async with aclosing(write(target, of, writers)) as parts:
        async for part in parts:
            total = total.plus(part)
    return total


async def test_lives_are_recorded_as_history(desk: Desk) -> None:
    told = await record(desk.running.store, plan(200), range(200))
    stored = await events(desk)
    assert told == Recorded(incidents=200, events=len(stored), skipped=0)
    assert {envelope.recordedtime for envelope in stored} == {START}
    assert all(START - timedelta(days=90) <= envelope.time < START for envelope in stored)
    assert {(envelope.actor, envelope.importid) for envelope in stored} == {(generating.ACTOR, "generated-1")}
    assert all(envelope.organisation for envelope in stored)
    runs = [list(run) for _, run in groupby(stored, lambda envelope: envelope.subject)]
    assert len(runs) == 200, "the events of a life follow one another"
    for run in runs:
        assert [envelope.aggregateversion for envelope in run] == list(range(1, len(run) + 1))
        assert len({envelope.correlationid for envelope in run}) == 1


async def test_each_has_a_number_and_people_go_on_counting(desk: Desk) -> None:
    await desk.open("before")
    await record(desk.running.store, plan(20), range(20))
    incident = await desk.open("afterwards")
    numbers = [row["number"] for row in await desk.pool.fetch("select number from incident_queue order by opened_at")]
    assert sorted(numbers) == [f"INC{number:07d}" for number in range(1, 23)]
    generated = await desk.pool.fetch("select number from incident_queue where requester like 'person-%' order by 1")
    assert {row["number"] for row in generated} <= {f"INC{number:07d}" for number in range(2, 22)}
    assert (await desk.get(f"/incidents/{incident}"))["number"] == "INC0000022"


async def test_the_doors_find_them_and_work_goes_on(desk: Desk) -> None:
    await record(desk.running.store, plan(300, stay_open=20), range(300))
    found = (await desk.get("/incidents?q=打印机"))["items"]
    assert found
    assert all("打印机" in item["title"] for item in found)
    waiting = (await desk.get("/incidents?state=new&sort=opened"))["items"][0]
    detail = await desk.get(f"/incidents/{waiting['number']}")
    assert detail["description"]
    assert (await desk.get(f"/incidents/{waiting['id']}/events"))["items"][0]["importid"] == "generated-1"
    await desk.post(f"/incidents/{waiting['id']}/assign", {"team": "network"})


async def test_the_read_model_is_what_its_events_say(desk: Desk) -> None:
    for first in range(0, 300, 100):
        await record(desk.running.store, plan(300, stay_open=10), range(first, first + 100))
    stored = await events(desk)

    async def batches() -> Any:
        for first in range(0, len(stored), 7):
            yield stored[first : first + 7]

    async with desk.pool.acquire() as connection:
        live = await digest(connection, INCIDENT_QUEUE, "incident")
        assert await rebuilt_digest(connection, INCIDENT_QUEUE, "incident", batches()) == live


async def test_a_second_run_adds_nothing_and_a_cut_off_one_is_finished(desk: Desk) -> None:
    store = desk.running.store
    of = plan(100)
    await record(store, of, range(20))
    await record(store, of, range(40, 60))
    before = await events(desk)
    told = await record(store, of, range(100))
    assert (told.incidents, told.skipped) == (60, 40)
    assert await events(desk) == [*before, *(await events(desk))[len(before) :]]
    assert await record(store, of, range(100)) == Recorded(skipped=100)
    assert await record(store, plan(100, seed=2), range(100)) != Recorded(skipped=100)
    assert await desk.pool.fetchval("select count(*) from incident_queue") == 200


@pytest.mark.parametrize("there", [0, 1, 37, 64])
async def test_how_many_there_are_is_found_by_halving(desk: Desk, there: int) -> None:
    await record(desk.running.store, plan(64), range(there))
    assert await prefix(desk.pool, 1, 64) == there
    assert await prefix(desk.pool, 1, 1_000_000) == there
    assert await prefix(desk.pool, 2, 64) == 0


async def test_several_processes_write_what_one_would(desk: Desk, shared_database: str) -> None:
    of = plan(3 * BATCH + 17, profile="brief", stay_open=5)
    told = await written(Target(shared_database, "test"), of)
    assert told == Recorded(of.count, 2 * of.count - 5, 0)
    assert await desk.pool.fetchval("select count(*) from incident_queue") == of.count
    assert await desk.pool.fetchval("select count(distinct number) from incident_queue") == of.count
    assert await prefix(desk.pool, 1, of.count) == of.count
    row = await desk.pool.fetchrow("select title, opened_at from incident_queue order by opened_at limit 1")
    first = generating.life(of, 0, "")[0]
    assert (row["title"], row["opened_at"]) == (first.command.title, first.at)  # type: ignore[union-attr]
    assert await written(Target(shared_database, "test"), of) == Recorded(skipped=of.count)


async def test_a_writer_says_what_the_database_refused(desk: Desk, shared_database: str) -> None:
    await desk.pool.execute("alter table es.outbox add constraint full_up check (false) not valid")
    try:
        with pytest.raises(WriterFailed, match="full_up"):
            await written(Target(shared_database, "test"), plan(5_000))
    finally:
        await desk.pool.execute("alter table es.outbox drop constraint full_up")
    assert await desk.pool.fetchval("select count(*) from es.event") == 0
    with pytest.raises(WriterFailed):
        await written(Target("postgresql://nobody@127.0.0.1:1/nothing"), plan(5_000))


async def test_the_end_of_a_history_is_told_once_for_whatever_is_new(desk: Desk, shared_database: str) -> None:
    target, ended = Target(shared_database, "test"), "aggregate = 'import-generated-1'"
    told = f"select count(*) from es.event where {ended}"
    for count, completions in ((20, 1), (20, 1), (10, 1), (40, 2)):
        async with aclosing(histories(target, plan(count), 2)) as parts:
            async for _ in parts:
                pass
        assert await desk.pool.fetchval(told) == completions, count
    again = f"select id from es.event where {ended} and version = 2"
    await desk.pool.execute(f"delete from es.outbox where event in ({again})")
    await desk.pool.execute(f"delete from es.event where id in ({again})")
    async with aclosing(histories(target, plan(40), 2)) as parts:  # as after a run that was killed at its very end
        async for _ in parts:
            pass
    assert await desk.pool.fetchval(told) == 2


async def test_who_stops_listening_stops_the_writers(desk: Desk, shared_database: str) -> None:
    of = plan(100_000)
    async with aclosing(histories(Target(shared_database, "test"), of, 2)) as parts:
        async for part in parts:
            assert part.incidents == BATCH
            break
    there = await desk.pool.fetchval("select count(*) from incident_queue")
    assert BATCH <= there <= 10 * BATCH
    assert there % BATCH == 0


async def test_the_writing_waits_while_the_relay_has_much_to_do(
    desk: Desk, shared_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(desk.running.store, plan(100), range(100))
    monkeypatch.setattr(filling, "_WAITING", 200)
    said: list[str] = []
    async with filling.pausing(Target(shared_database), said.append) as pause:
        waiting = asyncio.create_task(pause())
        for _ in range(3):
            await asyncio.sleep(filling._LOOK_SECONDS)
            await desk.pool.execute("delete from es.outbox where position in (select min(position) from es.outbox)")
            assert not waiting.done()
        await desk.pool.execute("delete from es.outbox where position > 150")
        await asyncio.wait_for(waiting, 5)
    assert said == []


async def test_where_nobody_empties_the_outbox_nobody_is_waited_for(
    desk: Desk, shared_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(desk.running.store, plan(100), range(100))
    monkeypatch.setattr(filling, "_WAITING", 200)
    monkeypatch.setattr(filling, "_STANDSTILL_SECONDS", 0.3)
    said: list[str] = []
    async with filling.pausing(Target(shared_database), said.append) as pause:
        await asyncio.wait_for(pause(), 5)
        await asyncio.wait_for(pause(), 0.05)
    assert len(said) == 1
    assert "does not run" in said[0]
