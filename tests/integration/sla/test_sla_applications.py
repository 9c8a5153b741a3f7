"""A calendar's revision applied to the clocks that run on it: previewed, bounded, resumed, announced."""

from datetime import datetime
from typing import Any

import pytest
from tests.support.service_levels import BASE, START, ServiceLevels, at

from opsledger_events.contexts.incident import IncidentHeld, IncidentResolved
from opsledger_runtime.timers import Due
from sla import applying
from sla.casebook import clock_id
from sla.rescheduling import CALENDARS

CALENDAR = "00000000-0000-7000-8000-000000000001"
AGREEMENT = "00000000-0000-7000-8000-000000000002"
OFFICE: dict[str, Any] = {
    "name": "办公时间",
    "time_zone": "Asia/Shanghai",
    "weekly": [{"day": day, "opens": "09:00", "closes": "17:00"} for day in range(5)],
}
CLOSED = {**OFFICE, "exceptions": [{"date": "2026-11-24", "kind": "closed", "name_zh": "停工"}]}
GOLD = {
    "name": "Gold",
    "calendar": CALENDAR,
    "targets": [{"priority": 1, "response_seconds": 3600, "resolution_seconds": 12 * 3600}],
    "organisation": "acme",
    "pausing_reasons": ["awaiting_requester"],
    "warning_percent": [75],
}
TUESDAY, WEDNESDAY = at(28), at(52)
"""When twelve hours have passed that began on Monday at nine, and when they have if nobody works on Tuesday."""


@pytest.fixture
async def office(levels: ServiceLevels) -> ServiceLevels:
    levels.running.clock.instant = START
    await levels.put(f"/calendars/{CALENDAR}", OFFICE)
    await levels.put(f"/agreements/{AGREEMENT}", GOLD)
    return levels


async def revise(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{CALENDAR}", CLOSED, status=200, headers={"If-Match": '"1"'})


async def apply(levels: ServiceLevels, *, status: int = 202, headers: Any = None, **body: Any) -> Any:
    answer = await levels.http.post(
        f"{BASE}/calendars/{CALENDAR}/apply", json={"revision": 2, **body}, headers=headers or {}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def fire_once(levels: ServiceLevels) -> bool:
    """What the timer worker does with the queue: fire, then delete the rows that were due, in one transaction."""
    async with levels.running.store.transaction() as tx:
        rows = await tx.connection.fetch(
            "select key, due, xmin::text as version from es.timer where queue = $1 order by due, key",
            CALENDARS.queue,
        )
        if not rows:
            return False
        await CALENDARS.timers().fire(tx, [Due(row["key"], row["due"], False) for row in rows])
        await tx.flush()
        await tx.connection.execute(
            "delete from es.timer t using unnest($2::text[], $3::text[]) as fired (key, version)"
            " where t.queue = $1 and t.key = fired.key and t.xmin::text = fired.version",
            CALENDARS.queue,
            [row["key"] for row in rows],
            [row["version"] for row in rows],
        )
    return True


async def moved(levels: ServiceLevels, incident: str, metric: str = "resolution") -> int:
    return [one.name for one in await levels.history(incident, metric)].count("SLAClockRescheduled")


async def test_r89_running_clocks_keep_their_revision_until_it_is_applied(office: ServiceLevels) -> None:
    incident = await office.open()
    await revise(office)
    assert (await office.row(incident))["due_at"] == TUESDAY
    await apply(office)
    office.running.clock.instant = at(1)
    assert await fire_once(office)
    row = await office.row(incident)
    assert (row["due_at"], row["calendar_revision"], row["next_breach_at"]) == (WEDNESDAY, 2, WEDNESDAY)
    assert await office.timers(incident) == {"breach": WEDNESDAY, "warning/75": at(49)}
    event = (await office.history(incident))[-1]
    assert event.name == "SLAClockRescheduled"
    assert event.data["previous_due_at"] == "2026-11-24T05:00:00Z"
    assert event.data["due_at"] == "2026-11-25T05:00:00Z"
    assert event.data["because"] == event.causationid
    assert event.correlationid == (await office.history(incident))[0].correlationid
    assert not await fire_once(office)
    assert await office.rebuild() == await office.digests()


async def test_a_dry_run_says_what_would_move_and_moves_nothing(office: ServiceLevels) -> None:
    incident = await office.open()
    await revise(office)
    told = await apply(office, status=200, dry_run=True)
    assert (told["applied"], told["clocks"], len(told["moves"])) == (False, 2, 2)
    (move,) = [move for move in told["moves"] if move["metric"] == "resolution"]
    assert (move["previous_due_at"], move["due_at"]) == ("2026-11-24T05:00:00Z", "2026-11-25T05:00:00Z")
    assert (move["clock"], move["previous_revision"]) == (clock_id(incident, "resolution"), 1)
    assert not await fire_once(office)
    assert (await office.row(incident))["calendar_revision"] == 1


async def test_r89_a_breach_that_is_none_any_more_is_withdrawn_and_comes_again(office: ServiceLevels) -> None:
    incident = await office.open()
    await office.fire_until(30)
    assert (await office.row(incident))["breached_at"] == TUESDAY
    office.running.clock.instant = at(30)
    await revise(office)
    await apply(office)
    await fire_once(office)
    assert (await office.names(incident))[-2:] == ["SLABreachWithdrawn@30", "SLAClockRescheduled@30"]
    assert (await office.row(incident))["breached_at"] is None
    await office.fire_until(60)
    assert (await office.names(incident))[-1] == "SLABreached@52"


async def test_stopped_clocks_and_those_of_other_calendars_stay(office: ServiceLevels) -> None:
    done = await office.open("incident-1")
    await office.tell(done, IncidentResolved(resolution="重启", responsibility="provider"), 1)
    other = await office.open("incident-2", organisation="other")
    office.running.clock.instant = at(2)
    await revise(office)
    assert (await apply(office))["clocks"] == 0
    await fire_once(office)
    assert await moved(office, done) == await moved(office, other) == 0
    assert (await office.row(done))["calendar_revision"] == 1


async def test_what_happened_before_the_move_may_become_known_after_it(office: ServiceLevels) -> None:
    incident = await office.open()
    office.running.clock.instant = at(3)
    await revise(office)
    await apply(office)
    await fire_once(office)
    await office.tell(incident, IncidentHeld(reason="awaiting_requester"), 2)
    assert (await office.names(incident))[-3:] == ["SLAClockRescheduled@3", "SLAClockRestated@2", "SLAClockPaused@2"]
    row = await office.row(incident)
    assert (row["state"], row["calendar_revision"]) == ("paused", 2)
    assert await office.rebuild() == await office.digests()


async def test_many_clocks_are_moved_a_few_at_a_time_and_a_crash_neither_loses_nor_repeats(
    office: ServiceLevels, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = [await office.open(f"incident-{n}") for n in range(4)]
    await revise(office)
    await apply(office)
    monkeypatch.setattr(applying, "BATCH", 3)
    office.running.clock.instant = at(1)
    await fire_once(office)
    assert await _moves(office, incidents) == 3
    with pytest.raises(ConnectionError):
        await _crash(office)
    assert await _moves(office, incidents) == 3
    await apply(office)  # asked again meanwhile: whoever comes first moves a clock, the other finds nothing to do
    while await fire_once(office):
        pass
    assert await _moves(office, incidents) == 8
    for incident in incidents:
        assert await moved(office, incident, "response") == await moved(office, incident) == 1


async def test_of_two_revisions_applied_at_once_the_last_one_stays(office: ServiceLevels) -> None:
    incident = await office.open()
    await revise(office)
    await apply(office)
    await office.put(f"/calendars/{CALENDAR}", OFFICE, status=200, headers={"If-Match": '"2"'})
    late = await office.open("incident-2")
    await apply(office, revision=3)
    while await fire_once(office):
        pass
    for one in (incident, late):
        assert (await office.row(one))["calendar_revision"] == 3
    assert (await office.row(incident))["due_at"] == TUESDAY


async def test_a_clock_that_the_new_hours_never_bring_to_its_end_does_not_hold_up_the_others(
    office: ServiceLevels,
) -> None:
    targets = [{"priority": 1, "response_seconds": 3600, "resolution_seconds": 10 * 366 * 86400 // 4}]
    await office.put(f"/agreements/{AGREEMENT}", {**GOLD, "targets": targets}, status=200, headers={"If-Match": '"1"'})
    incident = await office.open()
    await office.put(f"/agreements/{AGREEMENT}", GOLD, status=200, headers={"If-Match": '"2"'})
    rare = {**OFFICE, "weekly": [{"day": 0, "opens": "09:00", "closes": "10:00"}]}
    await office.put(f"/calendars/{CALENDAR}", rare, status=200, headers={"If-Match": '"1"'})
    told = await apply(office, status=200, dry_run=True)
    assert {move["metric"]: move["unreachable"] for move in told["moves"]} == {"response": False, "resolution": True}
    await apply(office)
    while await fire_once(office):
        pass
    assert await moved(office, incident, "response") == 1
    assert await moved(office, incident) == 0
    assert (await office.row(incident))["calendar_revision"] == 1


async def _moves(levels: ServiceLevels, incidents: list[str]) -> int:
    return sum([await moved(levels, one, metric) for one in incidents for metric in ("response", "resolution")])


async def _crash(levels: ServiceLevels) -> None:
    async with levels.running.store.transaction() as tx:
        row = await tx.connection.fetchrow("select key, due from es.timer where queue = $1", CALENDARS.queue)
        await CALENDARS.timers().fire(tx, [Due(row["key"], row["due"], False)])
        await tx.flush()
        raise ConnectionError


async def test_an_application_that_makes_no_sense_is_refused(office: ServiceLevels) -> None:
    await office.open()
    await revise(office)
    for body in ({"revision": 1}, {"revision": 3}, {"revision": 1, "dry_run": True}):
        assert (await apply(office, status=409, **body))["code"] == "revision_not_latest"
    zh = await apply(office, status=409, revision=1, headers={"Accept-Language": "zh-CN"})
    assert zh["detail"].startswith("只能应用最新修订")
    for body in ({"revision": 0}, {"revision": "2"}, {"revision": 10**12}, {"revision": True}, {"extra": 1}):
        await apply(office, status=422, **body)
    await apply(office, status=403, headers=office.headers("agent"))
    await apply(office, status=403, headers=office.headers("lead", organisations=["acme"]))
    answer = await office.http.post(f"{BASE}/calendars/{AGREEMENT}/apply", json={"revision": 1})
    assert answer.status_code == 404


async def test_a_repeated_key_applies_once(office: ServiceLevels) -> None:
    await office.open()
    await revise(office)
    key = {"Idempotency-Key": "again"}
    assert await apply(office, headers=key) == await apply(office, headers=key)
    applied = await office.running.pool.fetchval("select count(*) from es.event where type like '%CalendarApplied%'")
    assert applied == 1


async def test_the_view_follows_the_revision(office: ServiceLevels) -> None:
    incident = await office.open()
    await revise(office)
    await apply(office)
    await fire_once(office)
    found = await office.get(f"/clocks/{clock_id(incident, 'resolution')}")
    assert (found["calendar_revision"], datetime.fromisoformat(found["due_at"])) == (2, WEDNESDAY)


async def test_r89_a_trace_tells_the_revision_and_the_day_that_moved_the_due_time(office: ServiceLevels) -> None:
    incident = await office.open()
    await revise(office)
    await apply(office)
    assert await fire_once(office)
    office.running.clock.instant = at(50)
    found = await office.get(f"/clocks/{clock_id(incident, 'resolution')}/trace?lang=zh-CN")
    assert (found["calendar"]["revision"], found["closing"]["due_at"]) == (2, "2026-11-25T05:00:00Z")
    (move,) = found["closing"]["moves"]
    assert (move["because"], move["before"]) == ("calendar", "2026-11-24T05:00:00Z")
    told = {line["kind"]: line["text"] for line in found["lines"]}
    assert "第 2 版" in told["rescheduled"]
    assert "停工" in told["holiday"]
