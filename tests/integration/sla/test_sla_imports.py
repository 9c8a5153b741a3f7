"""Clocks of an import move by the time of its events alone, until it is told to its end."""

import random
from dataclasses import replace

import pytest
from tests.support.lives import life
from tests.support.service_levels import ServiceLevels, at

from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import (
    IncidentHeld,
    IncidentOpened,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
)
from opsledger_events.contexts.sla import SLABreached
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest
from sla.projections.history_imports import HISTORY_IMPORTS

OPENED = IncidentOpened(number="INC0000009", title="旧事件", impact=1, urgency=1, priority=1, channel="phone")
WAIT = IncidentHeld(reason="awaiting_requester")
SOLVED = IncidentResolved(responsibility="provider", resolution="更换光模块")


async def test_an_import_sets_no_timer_before_it_is_told(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(100)
    await levels.imported("old", OPENED, 0)
    assert await levels.timers("old") == {}
    await levels.fire_until(200)
    assert await levels.names("old") == ["SLAClockStarted@0"]
    levels.running.clock.instant = at(101)
    await levels.hand_over(levels.completion(101))
    assert set((await levels.timers("old")).values()) == {at(101)}
    await levels.fire_until(101)
    assert await levels.names("old") == ["SLAClockStarted@0", "SLAWarningReached@3", "SLABreached@4"]
    assert {one.importid for one in await levels.history("old")} == {"import-1"}
    assert await levels.timers("old") == {}


async def test_what_an_import_tells_of_the_past_is_marked_and_what_comes_after_is_news(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(3.5)
    await levels.imported("old", OPENED, 0)
    await levels.hand_over(levels.completion(3.5))
    assert await levels.timers("old") == {"breach": at(4), "warning/75": at(3.5)}
    await levels.fire_until(5)
    told = {one.name: one.importid for one in await levels.history("old")}
    assert told == {"SLAClockStarted": "import-1", "SLAWarningReached": "import-1", "SLABreached": None}


async def test_a_due_instant_is_decided_by_the_next_event_of_the_incident(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(100)
    await levels.imported("old", OPENED, 0)
    await levels.imported("old", IncidentStarted(), 0.1)
    await levels.imported("old", WAIT, 3.5)
    assert await levels.names("old") == ["SLAClockStarted@0", "SLAWarningReached@3", "SLAClockPaused@3.5"]
    await levels.imported("old", IncidentResumed(), 50)
    await levels.imported("old", SOLVED, 50.4)
    assert (await levels.names("old"))[-2:] == ["SLAClockResumed@50", "SLAMet@50.4"]
    assert {one.importid for one in await levels.history("old")} == {"import-1"}


async def test_what_is_said_before_an_imported_event_is_imported_too(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(100)
    await levels.imported("old", OPENED, 0)
    await levels.imported("old", SOLVED, 5)
    told = [(one.name, one.importid) for one in await levels.history("old")]
    names = ("SLAClockStarted", "SLAWarningReached", "SLABreached", "SLAMissed")
    assert told == [(name, "import-1") for name in names]
    assert await levels.rebuild() == await levels.digests()


async def test_another_imports_end_is_not_this_ones(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(100)
    await levels.imported("old", OPENED, 0)
    await levels.imported("other", OPENED, 0, "import-2")
    await levels.hand_over(levels.completion(100, "import-2"))
    assert await levels.timers("old") == {}
    assert await levels.timers("other") != {}


async def test_a_live_incident_has_its_timers_whatever_is_imported_meanwhile(levels: ServiceLevels) -> None:
    await levels.imported("old", OPENED, 0)
    await levels.open("new", 1, number="INC0000010")
    assert await levels.timers("new") == {"breach": at(5), "warning/75": at(4)}
    await levels.tell("old", IncidentStarted(), 2)  # somebody works on it here: from now on it is no history
    await levels.tell("old", WAIT, 2)
    await levels.tell("old", IncidentResumed(), 2.5)
    assert await levels.timers("old") == {"breach": at(4.5), "warning/75": at(3.5)}


async def test_a_told_import_that_goes_on_is_open_again(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(100)
    await levels.imported("first", OPENED, 0)
    await levels.hand_over(levels.completion(100))
    before = await levels.timers("first")
    assert before
    await levels.imported("second", OPENED, 0)
    assert await levels.timers("second") == {}
    assert await levels.timers("first") == before
    await levels.hand_over(levels.completion(100))
    assert set((await levels.timers("second")).values()) == {at(100)}


async def test_the_end_of_one_import_and_the_beginning_of_another_may_share_a_batch(levels: ServiceLevels) -> None:
    levels.running.clock.instant = at(100)

    def told(incident: str, import_id: str) -> Envelope:
        return replace(levels.envelope(incident, OPENED, 0), importid=import_id)

    await levels.hand_over(
        told("a", "import-1"),
        levels.completion(100),
        told("b", "import-1"),
        told("c", "import-2"),
        levels.completion(100, "import-2"),
    )
    found = {incident: bool(await levels.timers(incident)) for incident in "abc"}
    assert found == {"a": True, "b": False, "c": True}


@pytest.mark.parametrize("seed", range(8))
async def test_no_clock_of_an_import_is_breached_and_withdrawn(levels: ServiceLevels, seed: int) -> None:
    """However far the domain's own time is, and wherever batches end."""
    dice = random.Random(seed)
    levels.running.clock.instant = at(1000)
    told = [replace(levels.envelope("old", OPENED, 0), importid="import-1")]
    told += [replace(levels.envelope("old", event, hours), importid="import-1") for event, hours in life(dice)]
    while told:
        size = dice.randint(1, 4)
        await levels.hand_over(*told[:size])
        await levels.fire_until(1000)
        told = told[size:]
    await levels.hand_over(levels.completion(1000))
    await levels.fire_until(1000)
    for metric in ("response", "resolution"):
        names = [one.name for one in await levels.history("old", metric)]
        assert "SLABreachWithdrawn" not in names, names
        assert "SLAClockRestated" not in names, names
        assert not any(
            isinstance(event := decode(one), SLABreached) and event.provisional
            for one in await levels.history("old", metric)
        )
    assert await levels.timers("old") == {}
    assert await levels.rebuild() == await levels.digests()


async def test_which_imports_are_told_is_what_their_events_say(levels: ServiceLevels) -> None:
    told = [
        replace(levels.envelope("a", OPENED, 0), importid="import-1"),
        levels.completion(1),
        replace(levels.envelope("b", OPENED, 0), importid="import-2"),
        levels.envelope("live", OPENED, 2),
        levels.completion(3, "import-2"),
        replace(levels.envelope("c", OPENED, 0), importid="import-2"),
    ]
    for one in told:
        await levels.hand_over(one)

    async def batches():  # type: ignore[no-untyped-def]
        for first in range(0, len(told), 4):
            yield told[first : first + 4]

    async with levels.running.pool.acquire() as connection:
        rows = await connection.fetch("select id, told from history_import order by id")
        assert [tuple(row) for row in rows] == [("import-1", True), ("import-2", False)]
        live = await digest(connection, HISTORY_IMPORTS, "sla")
        assert await rebuilt_digest(connection, HISTORY_IMPORTS, "sla", batches()) == live
