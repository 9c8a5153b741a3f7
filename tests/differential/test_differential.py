"""Ours gives the right figures in every scenario; every other engine differs exactly where and how it is said to."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.differential import page
from tests.differential.engines import OTHERS
from tests.differential.engines.ours import Ours, calendar_of
from tests.differential.hours import Hours
from tests.differential.scenario import Engine, Scenario, faults
from tests.differential.scenarios import ALWAYS, BERLIN, GOLDEN_WEEK, OFFICE, SCENARIOS, SHORTER

from sla.domain.calendar import add, elapsed


def named(scenario: Scenario) -> str:
    return scenario.key


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_r89_ours_gives_the_figures_computed_by_hand(scenario: Scenario) -> None:
    assert Ours().answer(scenario) == scenario.right


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_ours_explains_every_figure(scenario: Scenario) -> None:
    found = Ours().account(scenario)
    assert sum((line.counted for line in found.lines), timedelta()) == scenario.right.elapsed
    assert all(line.event is not None for line in found.lines if line.kind != "warning_silent")
    due = found.moves[-1].after if found.moves else found.first_due
    assert due == (found.due_if_resumed or scenario.right.due)
    holds = [step for step in scenario.steps if step.kind == "hold" and step.pauses and step.at < scenario.now]
    paused = [(line.start, line.reason) for line in found.lines if line.state == "paused"]
    assert all((step.at, step.reason) in paused for step in holds if scenario.key != "zero")


@pytest.mark.parametrize("engine", OTHERS, ids=lambda engine: engine.name)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_another_engine_differs_exactly_as_said(scenario: Scenario, engine: Engine) -> None:
    found = faults(scenario.right, engine.answer(scenario))
    assert found == scenario.differs.get(engine.name, frozenset())


def test_every_engine_is_seen_to_differ_and_to_agree() -> None:
    for engine in OTHERS:
        differing = [scenario for scenario in SCENARIOS if engine.name in scenario.differs]
        assert 0 < len(differing) < len(SCENARIOS), engine.name
    assert {name for scenario in SCENARIOS for name in scenario.differs} == {engine.name for engine in OTHERS}


@pytest.mark.parametrize("hours", [OFFICE, SHORTER, ALWAYS, BERLIN, GOLDEN_WEEK])
def test_the_plain_hours_agree_with_the_calendar(hours: Hours) -> None:
    calendar = calendar_of(hours)
    start = datetime(2026, 9, 28, 7, 30, tzinfo=UTC)
    for n in range(0, 900, 13):
        end = start + timedelta(hours=n, minutes=n)
        assert hours.elapsed(start, end) == elapsed(calendar, start, end)
        assert hours.add(start, timedelta(hours=n)) == add(calendar, start, timedelta(hours=n))


def test_the_page_names_every_scenario_engine_and_source() -> None:
    text = page.page()
    for scenario in SCENARIOS:
        assert f"### {scenario.title}" in text
    for engine in OTHERS:
        assert f"**{engine.name}**" in text
        assert engine.based_on in text
