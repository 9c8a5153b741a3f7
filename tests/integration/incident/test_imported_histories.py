"""Foreign histories in a real store: recorded once, whatever is cut off or longer, and seen by all read models."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.histories import INVENTED, KNOWN, LOGS, log_of, rows_of, stories
from tests.support.incident_desk import START, Desk
from tests.support.mart import apply, mart
from tests.support.service_levels import service_levels

from incident.domain.completion import CompleteImport
from incident.importing.recording import Written, complete, record
from incident.importing.story import Story, incident_id
from incident.projections.incident_queue import INCIDENT_QUEUE
from opsledger_events import Envelope, decode
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest
from sla.reactors import CLOCKS_SUBSCRIPTION

IMPORT = "servicenow-1"


async def events(desk: Desk) -> list[Envelope]:
    """As the relay would number them."""
    rows = await desk.pool.fetch("select body from es.outbox o join es.event e on e.id = o.event order by o.position")
    return [Envelope.from_json(row["body"]).numbered(number) for number, row in enumerate(rows, 1)]


def read(log: bytes) -> list[Story]:
    return stories(rows_of(log, START)[0])


def read_file(log: Path) -> list[Story]:
    return read(log.read_bytes())


async def record_all(desk: Desk, told: Sequence[Story], import_id: str = IMPORT, batch: int = 200) -> Written:
    written = Written()
    for first in range(0, len(told), batch):
        written.add(await record(desk.running.store, import_id, told[first : first + batch]))
    return written


def batches(told: list[Envelope], size: int) -> list[list[Envelope]]:
    return [told[first : first + size] for first in range(0, len(told), size)]


async def whole(desk: Desk, log: Path) -> list[Envelope]:
    """Import the log to its end; everything that the service announces then."""
    written = await record_all(desk, read_file(log))
    counts = CompleteImport("servicenow", incidents=written.incidents, events=written.events)
    assert await complete(desk.running.store, IMPORT, counts)
    told = await events(desk)
    assert len(told) == written.events + 1
    assert (written.incidents, written.skipped) == (KNOWN[log].incidents, 0)
    return told


@pytest.mark.parametrize("log", LOGS, ids=str)
async def test_an_imported_log_is_in_the_queue(desk: Desk, log: Path) -> None:
    facts = KNOWN[log]
    told = await whole(desk, log)
    assert await desk.pool.fetchval("select count(*) from incident_queue where state = 'closed'") == facts.incidents
    assert await desk.pool.fetchval("select count(distinct number) from incident_queue") == facts.incidents
    assert {one.importid for one in told} == {IMPORT}
    assert {one.recordedtime for one in told} == {START}
    for one in told:
        decode(one)


@pytest.mark.parametrize("log", LOGS, ids=str)
async def test_an_imported_log_has_clocks_that_were_decided_by_its_own_times(
    desk: Desk, log: Path, database: str, tmp_path: Path
) -> None:
    told = await whole(desk, log)
    async with service_levels(database, tmp_path) as levels:
        levels.running.clock.instant = START
        for batch in batches([one for one in told if one.type_name in CLOCKS_SUBSCRIPTION.reads], 500):
            await levels.hand_over(*batch)
        rows = await levels.running.pool.fetch("select body from es.event where type like 'sla.SLA%'")
        clocks = [Envelope.from_json(row["body"]) for row in rows]
        assert {one.importid for one in clocks} == {IMPORT}
        counts = Counter(one.name for one in clocks)
        assert counts["SLABreachWithdrawn"] == counts["SLAClockRestated"] == 0
        assert counts["SLAClockStarted"] == 2 * KNOWN[log].incidents
        assert await levels.running.pool.fetchval("select count(*) from clock where state <> 'stopped'") == 0
        assert await levels.running.pool.fetchval("select count(*) from es.timer") == 0
        breached = {one.subject for one in clocks if one.name == "SLABreached"}
        missed = {one.subject for one in clocks if one.name == "SLAMissed"}
        assert missed
        assert missed <= breached
        assert await levels.rebuild() == await levels.digests()


@pytest.mark.parametrize("log", LOGS, ids=str)
async def test_an_imported_log_is_in_the_mart(desk: Desk, log: Path, database: str) -> None:
    facts = KNOWN[log]
    told = await whole(desk, log)
    async with mart(database, START) as reporting:
        await apply(reporting, batches(told, 500))
        figures = await reporting.pool.fetchrow(
            "select count(*) filter (where state = 'closed') as closed, sum(reopen_count) as reopenings,"
            " count(*) filter (where reopen_count > 0) as reopened, sum(reassignment_count) as reassignments"
            " from mart.fact_incident"
        )
        waited = await reporting.pool.fetchval("select count(*) from mart.fact_incident where held_seconds > 0")
    assert figures is not None
    assert dict(figures) == {
        "closed": facts.incidents,
        "reopened": facts.reopened,
        "reopenings": facts.reopenings,
        "reassignments": facts.reassignments - facts.unseen,
    }
    held = {one.subject: one.time for one in told if one.name == "IncidentHeld"}
    assert len(held) == facts.held
    assert facts.held - waited == facts.held_for_no_minute


async def test_imported_facts_are_told_as_the_source_states_them(desk: Desk) -> None:
    await record_all(desk, read_file(INVENTED))
    incident = await desk.get(f"/incidents/{incident_id('servicenow', 'INC9000002')}")
    assert incident["title"] == "Symptom 2 · Category 5 / Subcategory 9"
    assert (incident["impact"], incident["priority"], incident["team"]) == (1, 2, "group-3")
    assert incident["number"] == "INC0000002"
    assert incident["opened_at"] == "2016-03-01T09:00:00.000000Z"
    history = (await desk.get(f"/incidents/{incident['id']}/events"))["items"]
    assert history[0]["data"]["external_number"] == "INC9000002"
    assert history[0]["data"]["external_system"] == "servicenow"
    assert {one["actor"] for one in history} == {"updated-by-8"}
    assert {one["correlationid"] for one in history} == {incident["id"]}


async def test_a_second_import_adds_nothing_and_one_that_was_cut_off_is_finished(desk: Desk) -> None:
    told = read_file(INVENTED)
    await record(desk.running.store, IMPORT, told[:4])
    first = await events(desk)
    written = await record_all(desk, told)
    assert (written.incidents, written.skipped) == (6, 4)
    assert (await events(desk))[: len(first)] == first
    whole = await events(desk)
    again = await record_all(desk, told)
    assert (again.incidents, again.events, again.skipped) == (0, 0, 10)
    assert await events(desk) == whole
    assert again.earlier == {IMPORT: 10}


async def test_a_batch_is_recorded_whole_or_not_at_all(desk: Desk) -> None:
    told = read_file(INVENTED)
    await desk.pool.execute("alter table es.outbox add constraint full_up check (position < 30) not valid")
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await record_all(desk, told, batch=5)
    finally:
        await desk.pool.execute("alter table es.outbox drop constraint full_up")
    assert await desk.pool.fetchval("select count(*) from incident_queue") in (0, 5)
    written = await record_all(desk, told)
    assert written.incidents + written.skipped == 10
    assert len(await events(desk)) == sum(len(step.events) for one in told for step in one.steps)


async def test_two_imports_at_once_record_each_event_once(desk: Desk) -> None:
    told = read_file(INVENTED)
    await asyncio.gather(*(record(desk.running.store, IMPORT, told) for _ in range(3)))
    found = await events(desk)
    assert len(found) == len({one.id for one in found}) == sum(len(step.events) for one in told for step in one.steps)


async def test_a_dry_run_says_the_same_and_writes_nothing(desk: Desk) -> None:
    told = read_file(INVENTED)
    await record(desk.running.store, IMPORT, told[:3])
    before = await events(desk)
    dry = await record(desk.running.store, IMPORT, told, dry=True)
    assert await events(desk) == before
    wet = await record(desk.running.store, IMPORT, told)
    assert (dry.incidents, dry.events, dry.skipped) == (wet.incidents, wet.events, wet.skipped) == (7, wet.events, 3)
    assert sorted(row["number"] for row in await desk.pool.fetch("select number from incident_queue")) == [
        f"INC{number:07d}" for number in range(1, 11)
    ]


async def test_a_longer_log_adds_only_what_is_new(desk: Desk) -> None:
    """Also where the earlier export did not yet know how it would end."""
    lines = INVENTED.read_text().splitlines(keepends=True)
    early = "".join([*lines[:8]]).replace("code 5", "?")  # the second incident is waiting
    await record_all(desk, read(early.encode()))
    before = await events(desk)
    waiting = await desk.get(f"/incidents/{incident_id('servicenow', 'INC9000002')}")
    assert (waiting["state"], waiting["hold_reason"]) == ("on_hold", "awaiting_requester")
    written = await record_all(desk, read_file(INVENTED), "servicenow-2")
    assert (written.incidents, written.skipped) == (9, 1)
    assert written.earlier == {IMPORT: 2}
    assert written.late == []
    told = await events(desk)
    assert told[: len(before)] == before
    assert {one.importid for one in told[len(before) :]} == {"servicenow-2"}
    assert (await desk.get(f"/incidents/{waiting['id']}"))["state"] == "closed"
    assert len(told) == sum(len(step.events) for one in read_file(INVENTED) for step in one.steps)


async def test_what_people_did_meanwhile_stands_and_time_never_falls(desk: Desk) -> None:
    open_rows = [{"sys_mod_count": "0"}, {"sys_mod_count": "1", "incident_state": "Active"}]
    later = {"sys_mod_count": "2", "incident_state": "Resolved", "sys_updated_at": "02-03-2016 10:00"}
    await record_all(desk, read(log_of(*open_rows)))
    incident = incident_id("servicenow", "INC9000001")
    await desk.post(f"/incidents/{incident}/note", {"text": "seen here"})
    written = await record_all(desk, read(log_of(*open_rows, later)), "servicenow-2")
    assert [(note.line, note.kind) for note in written.late] == [(4, "told_late")]
    history = await desk.events(incident)
    assert [one.time for one in history] == sorted(one.time for one in history)
    assert history[-1].name == "IncidentResolved"


async def test_an_import_is_completed_once_for_whatever_is_new(desk: Desk) -> None:
    store = desk.running.store
    assert await complete(store, IMPORT, CompleteImport("servicenow", rows=5, incidents=3, events=9))
    assert not await complete(store, IMPORT, CompleteImport("servicenow", rows=5, skipped=3))
    assert not await complete(store, "nothing", CompleteImport("servicenow"))
    assert await complete(store, IMPORT, CompleteImport("servicenow", skipped=4)), "a run before was cut off"
    assert await complete(store, IMPORT, CompleteImport("servicenow", incidents=1, events=1, skipped=4))
    (first, second, _) = await desk.events(f"import-{IMPORT}")
    assert (first.name, first.subject, first.importid) == ("HistoryImportCompleted", f"import-{IMPORT}", IMPORT)
    assert (first.data["rows"], second.data["skipped"]) == (5, 4)


async def test_the_queue_is_what_imported_events_say(desk: Desk) -> None:
    await record_all(desk, read_file(INVENTED), batch=3)
    stored = await events(desk)

    async def parts() -> Any:
        for batch in batches(stored, 7):
            yield batch

    async with desk.pool.acquire() as connection:
        live = await digest(connection, INCIDENT_QUEUE, "incident")
        assert await rebuilt_digest(connection, INCIDENT_QUEUE, "incident", parts()) == live
