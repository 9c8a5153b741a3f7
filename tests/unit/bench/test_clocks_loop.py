"""The bare loop that clocks are measured beside tells of the same stories what the product tells."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from bench.cases import clocks_limit, clocks_stories
from bench.cases.clocks_apart import POLICIES, evaluate, retarget
from bench.cases.clocks_filling import DAYS, life
from bench.cases.clocks_limit import Step, count, days_of

from incident.generating import Plan
from opsledger_events.contexts.sla import AgreementDefined
from sla.domain.preview import outcome, promise
from sla.previewing import happening
from sla.projections.incident_facts import INCIDENT_FACTS

MONDAY = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
HOUR = timedelta(hours=1)
CALENDAR = clocks_stories.calendar()
LAID_OUT = days_of(CALENDAR, date(2025, 1, 1), date(2027, 12, 31))


def known(*story: tuple[str, float, object], hours: float, policy: str = "from_opening") -> clocks_limit.Known:
    """Hours after Monday morning."""
    steps: Sequence[Step] = [(kind, MONDAY + at * HOUR, detail) for kind, at, detail in story]
    return count(steps, LAID_OUT, policy, MONDAY + hours * HOUR)


def test_open_time_is_added_up_day_by_day_without_breaks_nights_and_holidays() -> None:
    assert days_of(CALENDAR, date(2026, 1, 1), date(2026, 1, 2)).opens == []
    found = known(("opened", 0, 10 * 3600), hours=26)
    assert (found.verdict, found.elapsed, found.due) == ("breached", 10 * HOUR, MONDAY + 26 * HOUR)
    assert known(("opened", 0, 10 * 3600), hours=25.5).verdict == "running"


def test_a_wait_that_pauses_moves_the_due_instant_and_another_does_not() -> None:
    paused = known(("opened", 0, 3600), ("held", 0.5, "awaiting_requester"), ("resumed", 2, None), hours=2)
    assert (paused.elapsed, paused.due) == (0.5 * HOUR, MONDAY + 2.5 * HOUR)
    assert known(("opened", 0, 3600), ("held", 0.5, "other"), ("resumed", 2, None), hours=0.6).due == MONDAY + HOUR


@pytest.mark.parametrize(("stopped", "verdict"), [(1, "met"), (1.01, "breached")])
def test_what_stops_at_the_very_instant_is_in_time(stopped: float, verdict: str) -> None:
    assert known(("opened", 0, 3600), ("stopped", stopped, None), hours=9).verdict == verdict


def test_a_cancelled_clock_counts_nowhere_and_a_continued_one_goes_on() -> None:
    assert known(("opened", 0, 3600), ("cancelled", 2, None), hours=9).verdict == "none"
    again = known(("opened", 0, 7200), ("stopped", 1, None), ("continued", 4, None), hours=4.5)
    assert (again.verdict, again.elapsed, again.due) == ("running", 1.5 * HOUR, MONDAY + 5 * HOUR)


def test_a_shorter_target_that_is_over_already_is_breached() -> None:
    found = known(("opened", 0, 8 * 3600), ("targeted", 2, 3600), hours=2.5)
    assert (found.verdict, found.due) == ("breached", MONDAY + HOUR)


@pytest.mark.parametrize("days", [1, 28, 365])
async def test_usual_clocks_show_the_same_to_both(days: int) -> None:
    found = await evaluate(days, 20)
    assert found["differ"] == 0
    assert {len(found[key]["ms"]) for key in ("cold", "again", "bare")} == {20}


async def test_another_target_means_the_same_to_both_whatever_the_policy() -> None:
    found = await retarget(28, 5)
    assert {policy: one["differ"] for policy, one in found.items()} == dict.fromkeys(POLICIES, 0)


def test_generated_lives_are_judged_alike() -> None:
    until = datetime(2026, 11, 20, tzinfo=UTC)
    plan = Plan(1, 0, 300, until - timedelta(days=DAYS), until, "full", 30)
    promised = promise(_agreement(), CALENDAR)
    for index in range(plan.count):
        told = [one for one in life(plan, index, until) if one.type_name in INCIDENT_FACTS.reads]
        assert told[0].name == "IncidentOpened"
        facts = [
            (one.name.removeprefix("Incident"), one.time, one.data.get("priority", one.data.get("reason")))
            for one in told
        ]
        happenings = [happening(n, *fact) for n, fact in enumerate(facts)]
        for metric in ("response", "resolution"):
            verdict = outcome(happenings, metric, promised, until).verdict
            story = clocks_limit.story(facts, metric)
            assert count(story, LAID_OUT, "from_opening", until).verdict == verdict, (index, metric)


def _agreement() -> AgreementDefined:
    return AgreementDefined(
        name="Office hours",
        calendar="calendar",
        targets=clocks_stories.promised(),
        pausing_reasons=sorted(clocks_stories.PAUSING),
        warning_percent=[],
        revision=1,
    )
