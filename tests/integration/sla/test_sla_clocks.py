"""Incident events in, clock events out, on a real store: every path of a clock's life."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.service_levels import START, ServiceLevels, at

from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentHeld,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
)
from opsledger_runtime.timers import Due
from sla.casebook import clock_id
from sla.reactors import handle
from sla.timers import CLOCK_QUEUE

WAIT = IncidentHeld(reason="awaiting_requester")
SOLVED = IncidentResolved(responsibility="provider", resolution="更换光模块")
AGAIN = IncidentReopened(reason="又断了")
MISTAKE = IncidentCancelled(reason="重复")


def priority(new: int, old: int = 1) -> IncidentPrioritised:
    return IncidentPrioritised(impact=1, urgency=1, priority=new, previous_priority=old)


async def test_r2_r89_an_opened_incident_gets_both_clocks_from_its_opening(levels: ServiceLevels) -> None:
    incident = await levels.open()
    assert await levels.names(incident, "response") == ["SLAClockStarted@0"]
    assert await levels.names(incident, "resolution") == ["SLAClockStarted@0"]
    assert await levels.timers(incident) == {"breach": at(4), "warning/75": at(3)}
    assert await levels.timers(incident, "response") == {"breach": at(0.25), "warning/75": at(0.1875)}
    data = (await levels.history(incident))[0].data
    assert data["started_at"] == "2026-11-23T01:00:00Z"
    assert data["due_at"] == "2026-11-23T05:00:00Z"
    assert data["time_zone_database"]
    assert data["agreement_revision"] == data["calendar_revision"] == 1
    assert data["title"] == "核心交换机端口告警"


async def test_r2_the_first_start_of_work_stops_the_response_clock(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, IncidentStarted(assignee="person-3"), 0.2)
    await levels.tell(incident, IncidentStarted(assignee="person-4"), 0.3)
    assert await levels.names(incident, "response") == ["SLAClockStarted@0", "SLAWarningReached@0.1875", "SLAMet@0.2"]
    assert (await levels.row(incident, "response"))["met"] is True
    assert await levels.timers(incident, "response") == {}


async def test_r2_a_resolution_without_a_start_stops_both_clocks(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, SOLVED, 0.1)
    assert (await levels.names(incident, "response"))[-1] == "SLAMet@0.1"
    assert (await levels.names(incident, "resolution"))[-1] == "SLAMet@0.1"
    await levels.tell(incident, AGAIN, 1)
    assert (await levels.names(incident, "response"))[-1] == "SLAMet@0.1"
    await levels.tell(incident, SOLVED, 2)
    await levels.tell(incident, IncidentClosed(), 30)
    assert (await levels.row(incident))["elapsed_seconds"] == 3960


async def test_r89_warning_and_breach_are_announced_at_their_instants(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, IncidentAssigned(team="network", assignee="person-3"), 3.5)
    await levels.tell(incident, IncidentAssigned(team="vendor"), 5)
    await levels.fire_until(6)
    assert await levels.names(incident) == ["SLAClockStarted@0", "SLAWarningReached@3", "SLABreached@4"]
    _, warning, breach = await levels.history(incident)
    assert (warning.data["team"], warning.data.get("assignee")) == ("desk", None)
    assert (breach.data["team"], breach.data["assignee"]) == ("network", "person-3")
    assert breach.data["provisional"] is False
    assert breach.correlationid == f"story-{incident}"
    assert breach.causationid == str(warning.id)
    assert await levels.timers(incident) == {}
    await levels.tell(incident, SOLVED, 5)
    missed = (await levels.history(incident))[-1]
    assert (missed.name, missed.data["elapsed_seconds"], missed.data["overrun_seconds"]) == ("SLAMissed", 18000, 3600)


async def test_a_breach_that_no_timer_told_yet_is_announced_before_what_came_after(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, SOLVED, 5)
    expected = ["SLAClockStarted@0", "SLAWarningReached@3", "SLABreached@4", "SLAMissed@5"]
    assert await levels.names(incident) == expected
    await levels.fire_until(9)
    assert await levels.names(incident) == expected


async def test_resolved_at_the_due_instant_is_in_time_although_the_timer_is_late(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, SOLVED, 4)
    await levels.fire_until(9)
    assert (await levels.names(incident))[-1] == "SLAMet@4"


async def test_pause_and_resume_move_the_due_instant(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, WAIT, 1)
    assert await levels.timers(incident) == {}
    assert (await levels.row(incident))["state"] == "paused"
    await levels.tell(incident, IncidentResumed(), 11)
    assert await levels.timers(incident) == {"breach": at(14), "warning/75": at(13)}
    await levels.tell(incident, IncidentHeld(reason="lunch"), 12)
    await levels.tell(incident, IncidentResumed(), 12.5)
    assert await levels.names(incident) == ["SLAClockStarted@0", "SLAClockPaused@1", "SLAClockResumed@11"]
    shown = await levels.get(f"/clocks?incident={incident}&metric=resolution")
    assert shown["items"][0]["due_at"] == "2026-11-23T15:00:00Z"


async def test_r89_a_new_priority_keeps_elapsed_time_and_pauses(levels: ServiceLevels) -> None:
    incident = await levels.open(priority=3)
    await levels.tell(incident, WAIT, 1)
    await levels.tell(incident, IncidentResumed(), 3)
    await levels.tell(incident, priority(1, 3), 5)
    row = await levels.row(incident)
    assert (row["elapsed_seconds"], row["due_at"], row["priority"]) == (3 * 3600, at(6), 1)
    assert (await levels.names(incident))[-1] == "SLAClockRetargeted@5"
    await levels.fire_until(5)
    assert (await levels.names(incident))[-1] == "SLAWarningReached@5"


async def test_a_new_target_that_is_exceeded_breaches_at_once(levels: ServiceLevels) -> None:
    incident = await levels.open(priority=3)
    await levels.tell(incident, priority(1, 3), 6)
    await levels.fire_until(6)
    assert (await levels.names(incident))[-2:] == ["SLAClockRetargeted@6", "SLABreached@6"]
    await levels.tell(incident, priority(3), 7)
    await levels.tell(incident, priority(1, 3), 8)
    await levels.fire_until(20)
    assert (await levels.names(incident)).count("SLABreached@6") == 1
    assert len([name for name in await levels.names(incident) if name.startswith("SLABreached")]) == 1


async def test_r94_reopening_continues_without_the_time_between(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, SOLVED, 2)
    await levels.tell(incident, AGAIN, 20)
    assert await levels.timers(incident) == {"breach": at(22), "warning/75": at(21)}
    await levels.fire_until(23)
    await levels.tell(incident, SOLVED, 23)
    assert await levels.names(incident) == [
        "SLAClockStarted@0",
        "SLAMet@2",
        "SLAClockContinued@20",
        "SLAWarningReached@21",
        "SLABreached@22",
        "SLAMissed@23",
    ]
    row = await levels.row(incident)
    assert (row["met"], row["elapsed_seconds"]) == (False, 5 * 3600)


async def test_a_cancelled_incident_counts_nowhere(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, MISTAKE, 1)
    await levels.fire_until(99)
    for metric in ("response", "resolution"):
        assert (await levels.names(incident, metric))[-1] == "SLAClockCancelled@1"
        assert await levels.timers(incident, metric) == {}
    assert (await levels.row(incident))["state"] == "cancelled"


async def test_a_priority_without_target_gets_no_clock_until_it_has_one(levels: ServiceLevels) -> None:
    agreement = await levels.get("/agreements")
    body = {key: agreement["items"][0][key] for key in ("name", "calendar", "pausing_reasons", "warning_percent")}
    body["targets"] = [{"priority": 1, "response_seconds": 900, "resolution_seconds": 14400}]
    path = f"/agreements/{agreement['items'][0]['id']}"
    await levels.put(path, body, status=200, headers={"If-Match": '"1"'})
    incident = await levels.open(priority=4)
    assert await levels.row(incident) is None
    await levels.tell(incident, WAIT, 1)
    await levels.tell(incident, IncidentResumed(), 3)
    await levels.tell(incident, priority(1, 4), 4)
    row = await levels.row(incident)
    assert (row["started_at"], row["elapsed_seconds"], row["due_at"]) == (START, 2 * 3600, at(6))
    await levels.tell(incident, priority(4), 5)
    assert (await levels.row(incident))["state"] == "cancelled"
    await levels.tell(incident, WAIT, 5.5)
    await levels.tell(incident, IncidentResumed(), 6.5)
    await levels.tell(incident, priority(1, 4), 7)
    row = await levels.row(incident)
    assert (row["state"], row["elapsed_seconds"], row["due_at"]) == ("running", 4 * 3600, at(7))
    assert await levels.rebuild() == await levels.digests()


async def test_a_breach_that_a_late_event_shows_false_is_withdrawn(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.fire_until(4, provisional=True)
    assert (await levels.row(incident))["provisional"] is True
    await levels.tell(incident, SOLVED, 3.5)
    assert (await levels.names(incident))[-3:] == ["SLABreached@4", "SLABreachWithdrawn@3.5", "SLAMet@3.5"]
    row = await levels.row(incident)
    assert (row["met"], row["breached_at"], row["provisional"]) == (True, None, False)
    await levels.fire_until(50)
    assert (await levels.names(incident))[-1] == "SLAMet@3.5"


async def test_a_withdrawn_breach_may_come_true_later(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.fire_until(4, provisional=True)
    await levels.tell(incident, WAIT, 3.5)
    await levels.tell(incident, IncidentResumed(), 3.5)
    await levels.fire_until(5)
    names = await levels.names(incident)
    assert names[-4:] == ["SLABreachWithdrawn@3.5", "SLAClockPaused@3.5", "SLAClockResumed@3.5", "SLABreached@4"]


async def test_a_late_report_before_other_figures_is_a_restatement(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, priority(2), 3)
    await levels.tell(incident, WAIT, 1)
    await levels.tell(incident, IncidentResumed(), 2)
    names = await levels.names(incident)
    assert names[1:] == [
        "SLAClockRetargeted@3",
        "SLAClockRestated@1",
        "SLAClockPaused@1",
        "SLAClockRestated@2",
        "SLAClockResumed@2",
    ]
    row = await levels.row(incident)
    assert (row["state"], row["due_at"], row["target_seconds"]) == ("running", at(9), 8 * 3600)
    assert await levels.timers(incident) == {"breach": at(9), "warning/75": at(7)}


async def test_events_of_an_unknown_incident_are_kept_and_start_nothing(levels: ServiceLevels) -> None:
    for version, event in enumerate((WAIT, IncidentResumed(), priority(2), AGAIN, SOLVED, MISTAKE), 2):
        await levels.hand_over(levels.envelope("stub", event, version, version))
    assert await levels.row("stub") is None
    assert await levels.running.pool.fetchval("select count(*) from incident_fact where incident = 'stub'") == 6


async def test_clocks_are_loaded_only_where_an_event_may_concern_one_that_stands(levels: ServiceLevels) -> None:
    statements: list[str] = []
    opened = IncidentOpened(number="INC1", title="x", impact=1, urgency=1, priority=1)
    steps = (
        (levels.envelope("one", opened, 0), levels.envelope("one", IncidentAssigned(team="desk"), 0.01)),
        (levels.envelope("one", IncidentAssigned(team="network", assignee="person-3"), 0.02),),
        (levels.envelope("one", IncidentStarted(assignee="person-3"), 0.03),),
    )
    for batch, loads in zip(steps, (0, 0, 1), strict=True):
        statements.clear()
        async with levels.running.store.transaction() as tx:
            with tx.connection.query_logger(lambda query: statements.append(query.query)):
                await handle(tx, batch)
        assert len([one for one in statements if "from es.event where aggregate" in one]) == loads
    assert await levels.names("one", "response") == ["SLAClockStarted@0", "SLAMet@0.03"]


async def test_facts_that_were_lost_and_are_read_again_start_no_clock_twice(levels: ServiceLevels) -> None:
    opened = IncidentOpened(number="INC1", title="x", impact=1, urgency=1, priority=1)
    told = [levels.envelope("one", opened, 0), levels.envelope("one", IncidentStarted(assignee="person-3"), 0.1)]
    await levels.hand_over(*told)
    before = await levels.names("one", "response")
    await levels.running.pool.execute("delete from incident_fact")
    await levels.hand_over(*told)
    assert await levels.names("one", "response") == before == ["SLAClockStarted@0", "SLAMet@0.1"]
    assert await levels.names("one") == ["SLAClockStarted@0"]


async def test_repeats_of_events_and_timers_are_without_effect(levels: ServiceLevels) -> None:
    story: list[Any] = []
    incident = await levels.open()
    told: Any = (
        (IncidentStarted(), 0.1),
        (WAIT, 1),
        (IncidentResumed(), 2),
        (priority(3), 3),
        (priority(1, 3), 9),
        (SOLVED, 10),
    )
    for event, hours in told:
        story.append(await levels.tell(incident, event, hours))
    before = await levels.digests()
    count = await levels.running.pool.fetchval("select count(*) from es.event")
    levels.versions.clear()
    await levels.open()
    await levels.hand_over(*story)
    await levels.hand_over(*story[2:4])
    async with levels.running.store.transaction() as tx:
        for key in ("breach", "warning/75"):
            await CLOCK_QUEUE.fire(tx, [Due(f"{clock_id(incident, 'resolution')}/{key}", at(4), False)])
    assert await levels.running.pool.fetchval("select count(*) from es.event") == count
    assert await levels.digests() == before


async def test_d9_tables_rebuilt_from_events_equal_the_live_ones(levels: ServiceLevels) -> None:
    for n in range(4):
        incident = await levels.open(f"incident-{n}", n, priority=n + 1)
        await levels.tell(incident, WAIT, n + 1)
        await levels.fire_until(n + 2)
        await levels.tell(incident, IncidentResumed(), n + 2)
        await levels.tell(incident, priority(2, n + 1), n + 3)
        await levels.fire_until(n + 20)
        if n % 2:
            await levels.tell(incident, SOLVED, n + 21)
    assert await levels.rebuild() == await levels.digests()


async def test_one_batch_with_a_whole_life_gives_the_same_events_as_one_by_one(levels: ServiceLevels) -> None:
    told = [(IncidentAssigned(team="network"), 0.5), (WAIT, 1), (IncidentResumed(), 2), (priority(2), 3), (SOLVED, 12)]
    first = await levels.open("one", number="INC1")
    for event, hours in told:
        await levels.tell(first, event, hours)
        await levels.fire_until(hours - 0.1)
    await levels.open("two", number="INC2")
    await levels.hand_over(*[levels.envelope("two", event, hours) for event, hours in told])
    assert await levels.names("one") == await levels.names("two")
    assert await levels.names("one", "response") == await levels.names("two", "response")


@pytest.mark.parametrize("batch", [1, 7, 200])
async def test_timers_fired_together_say_what_they_say_one_by_one(levels: ServiceLevels, batch: int) -> None:
    incidents = [f"incident-{n}" for n in range(6)]
    for n, incident in enumerate(incidents):
        await levels.open(incident, n / 10, number=f"INC{n}")
        if n % 3 == 0:
            await levels.tell(incident, WAIT, 1)
        if n == 5:
            await levels.tell(incident, SOLVED, 0.6)
    await levels.fire_until(0.1, batch=batch)
    await levels.fire_until(30, batch=batch)
    told = {
        incident: (await levels.names(incident, "response"), await levels.names(incident)) for incident in incidents
    }
    running = ["SLAClockStarted@0.1", "SLAWarningReached@3.1", "SLABreached@4.1"]
    assert told["incident-1"][1] == running
    assert told["incident-0"][1] == ["SLAClockStarted@0", "SLAClockPaused@1"]
    assert told["incident-5"][1] == ["SLAClockStarted@0.5", "SLAMet@0.6"]
    assert [name for name in told["incident-1"][0] if "Breached" in name] == ["SLABreached@0.35"]
    assert not [key for incident in incidents for key in await levels.timers(incident)]
    assert await levels.rebuild() == await levels.digests()


async def test_r89_the_most_specific_agreement_is_chosen(levels: ServiceLevels) -> None:
    calendar = (await levels.get("/calendars"))["items"][0]["id"]
    chosen = {}
    for n, (organisation, service) in enumerate([("acme", None), (None, "core"), ("acme", "core")]):
        chosen[organisation, service] = agreement = f"00000000-0000-7000-8000-00000000000{n}"
        body = {"name": f"A{n}", "calendar": calendar, "organisation": organisation, "service": service}
        await levels.put(
            f"/agreements/{agreement}", {**body, "targets": [{"priority": 1, "resolution_seconds": 60 + n}]}
        )
    stories = {("acme", "core"): ("acme", "core"), ("acme", "x"): ("acme", None), ("beta", "core"): (None, "core")}
    for n, (subject, selector) in enumerate(stories.items()):
        incident = await levels.open(f"i{n}", organisation=subject[0], service=subject[1])
        assert (await levels.row(incident))["agreement"] == chosen[selector]
        assert await levels.row(incident, "response") is None
    other = await levels.open("i9", organisation="beta", service=None)
    assert (await levels.row(other))["target_seconds"] == 4 * 3600


async def test_running_clocks_keep_the_revision_that_they_started_with(levels: ServiceLevels) -> None:
    incident = await levels.open()
    default = (await levels.get("/agreements"))["items"][0]
    body = {key: default[key] for key in ("name", "calendar", "pausing_reasons", "warning_percent")}
    body["targets"] = [{"priority": p, "resolution_seconds": 60} for p in (1, 2)]
    await levels.put(f"/agreements/{default['id']}", body, status=200, headers={"If-Match": '"1"'})
    await levels.tell(incident, priority(2), 1)
    row = await levels.row(incident)
    assert (row["agreement_revision"], row["target_seconds"]) == (1, 8 * 3600)
    assert (await levels.row(await levels.open("later")))["target_seconds"] == 60


async def test_microseconds_are_kept(levels: ServiceLevels) -> None:
    incident = await levels.open(hours=0.123456789)
    row = await levels.row(incident)
    assert row["due_at"] - row["started_at"] == timedelta(hours=4)
