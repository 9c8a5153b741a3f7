"""Random lives of incidents: whatever the batches and however late the timers, events and figures are the same."""

import random

import pytest
from tests.support.agreeing import assert_the_mart_agrees, leave_targets_out
from tests.support.lives import life
from tests.support.service_levels import ServiceLevels, at

from opsledger_events import decode
from sla.domain.calendar import always_open
from sla.domain.clock import read
from sla.domain.decider import CLOCK

HOURS = 60


@pytest.mark.parametrize("seed", range(12))
async def test_prompt_timers_and_late_timers_tell_the_same(levels: ServiceLevels, seed: int) -> None:
    story = life(random.Random(seed))
    for incident, prompt in (("prompt", True), ("late", False)):
        await levels.open(incident)
        for event, hours in story:
            if prompt:
                await levels.fire_until(hours - 0.0001)
            await levels.tell(incident, event, hours)
        await levels.fire_until(HOURS * 5)
    for metric in ("response", "resolution"):
        told = [
            [(e.name, e.time, {**e.data, "incident": "", "cause": ""}) for e in await levels.history(incident, metric)]
            for incident in ("prompt", "late")
        ]
        assert told[0] == told[1]
        events = [decode(envelope) for envelope in await levels.history("prompt", metric)]
        state = CLOCK.fold(events)
        reading = read(state.facts, state.terms(always_open()), at(HOURS * 10))
        assert reading is not None
        breaches = [e for e in events if type(e).__name__ == "SLABreached"]
        assert len({e.target_seconds for e in breaches}) == len(breaches)  # type: ignore[attr-defined]
        assert (reading.breached_at is not None) == any(
            one.target == reading.target and one.percent is None for one in state.announced
        )
        assert state.pending(always_open()) == ()
    assert await levels.timers("prompt") == await levels.timers("late") == {}
    assert await levels.rebuild() == await levels.digests()


@pytest.mark.parametrize("seed", [*range(6), 137])
async def test_the_mart_says_what_the_clocks_say(levels: ServiceLevels, seed: int) -> None:
    dice = random.Random(1000 + seed)
    if seed % 2:
        await leave_targets_out(levels)
    story = life(dice)
    for told, lead in (("prompt", 0.0), ("hasty", 3.0), ("disordered", 3.0)):
        incident = await levels.open(told, priority=dice.randint(1, 5))
        if told == "disordered":
            story = [(event, max(0.0, hours - dice.choice([0, 0, 0, 5]))) for event, hours in story]
        for event, hours in story:
            await levels.fire_until(hours + dice.choice([-0.0001, lead]), provisional=True)
            await levels.tell(incident, event, hours)
            await assert_the_mart_agrees(levels, incident)
        await levels.fire_until(HOURS * 5)
        await assert_the_mart_agrees(levels, incident, settled=True)
