"""Verdicts once given stand, whatever priorities come after them; what is told of imported history is no news."""

import pytest
from tests.support.agreeing import assert_the_mart_agrees, leave_targets_out, mart_row
from tests.support.service_levels import ServiceLevels, at

from opsledger_events.contexts.incident import (
    IncidentHeld,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentStarted,
)

OPENED = IncidentOpened(number="INC0000009", title="旧事件", impact=1, urgency=1, priority=1, channel="phone")
SOLVED = IncidentResolved(responsibility="provider", resolution="更换光模块")


def priority(new: int, old: int = 1) -> IncidentPrioritised:
    return IncidentPrioritised(impact=1, urgency=1, priority=new, previous_priority=old)


@pytest.mark.parametrize(("before", "started", "after", "met"), [(1, 0.5, 4, False), (4, 0.5, 1, True)])
async def test_r89_another_priority_leaves_the_response_verdict(
    levels: ServiceLevels, before: int, started: float, after: int, met: bool
) -> None:
    incident = await levels.open(priority=before)
    await levels.tell(incident, IncidentStarted(assignee="person-3"), started)
    told = await levels.names(incident, "response")
    await levels.tell(incident, priority(after, before), 1)
    await levels.fire_until(99)
    assert await levels.names(incident, "response") == told
    row = await mart_row(levels, incident, "response")
    assert row is not None
    assert (row.met, row.target_seconds) == (met, 900 if before == 1 else 4 * 3600)
    assert row.breached_at == (None if met else at(0.25))
    await assert_the_mart_agrees(levels, incident, settled=True)


async def test_r89_a_missed_response_counts_although_the_next_priority_has_no_target(levels: ServiceLevels) -> None:
    await leave_targets_out(levels)
    incident = await levels.open()
    await levels.tell(incident, IncidentStarted(assignee="person-3"), 0.5)
    await levels.tell(incident, priority(2), 1)
    await levels.tell(incident, priority(1, 2), 2)
    assert (await levels.names(incident, "response"))[-2:] == ["SLABreached@0.25", "SLAMissed@0.5"]


async def test_r94_a_reopened_clock_has_the_target_of_the_priority_at_that_time(levels: ServiceLevels) -> None:
    incident = await levels.open()
    await levels.tell(incident, SOLVED, 2)
    await levels.tell(incident, priority(2), 3)
    assert (await levels.names(incident))[-1] == "SLAMet@2"
    await levels.tell(incident, IncidentReopened(reason="又断了"), 10)
    assert (await levels.names(incident))[-2:] == ["SLAClockContinued@10", "SLAClockRetargeted@10"]
    assert await levels.timers(incident) == {"breach": at(16), "warning/75": at(14)}
    await assert_the_mart_agrees(levels, incident)


async def test_a_live_event_does_not_turn_imported_history_into_news(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(5)
    await levels.imported("old", OPENED, 0)
    levels.running.clock.instant = at(6)
    await levels.tell("old", IncidentHeld(reason="awaiting_requester"), 6)
    told = {one.name: one.importid for one in await levels.history("old")}
    assert told == {
        "SLAClockStarted": "import-1",
        "SLAWarningReached": "import-1",
        "SLABreached": "import-1",
        "SLAClockPaused": None,
    }
