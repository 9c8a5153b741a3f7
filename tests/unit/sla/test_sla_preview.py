"""Another agreement over what happened: the agreement in force changes nothing, and each change has one reason."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from tests.support import previews
from tests.support.lives import life
from tests.support.stories import random_story

from opsledger_events import Envelope
from opsledger_events.contexts.incident import IncidentCancelled, IncidentClosed, IncidentOpened
from opsledger_events.contexts.sla import AgreementDefined
from sla.domain.calendar import Calendar, Hours, always_open, weekly_hours
from sla.domain.clock import read
from sla.domain.measures import IncidentFact
from sla.domain.preview import METRICS, NO_CLOCK, Outcome, Reason, outcome, outcome_of, promise, why
from sla.preview_findings import Change, Judged, Place
from sla.preview_words import sentence
from sla.previewing import happening

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Monday 09:00 in Shanghai."""

HOUR = 3600
ALWAYS = always_open()
OFFICE = weekly_hours("Asia/Shanghai", [Hours(day, *span) for day in range(5) for span in ((540, 720), (810, 1080))])
OPENED = IncidentOpened(number="INC0000001", title="告警", impact=1, urgency=1, priority=1, channel="phone")


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def random_agreement(dice: random.Random) -> AgreementDefined:
    """Some priorities have no target, some have the same as others, and some targets are by day."""
    told = [None, HOUR // 2, HOUR, 4 * HOUR, 9 * HOUR, {"working_days": 1, "at": "16:00"}, {"working_days": 2}]

    def target(metric: str) -> dict[str, Any]:
        wanted = dice.choice(told)
        return {f"{metric}_by": wanted} if isinstance(wanted, dict) else {f"{metric}_seconds": wanted}

    pausing = dice.choice([[], ["awaiting_requester"], ["awaiting_requester", "lunch"]])
    return previews.agreement({}, pausing).model_copy(
        update={
            "targets": [
                {"priority": priority} | {name: one for metric in METRICS for name, one in target(metric).items()}
                for priority in range(1, 6)
            ],
            "retarget": dice.choice(["from_opening", "from_change", "proportional", "keep_remaining"]),
            "reopen": dice.choice(["continue", "restart", "new_clock"]),
        }
    )


async def assert_nothing_changes(
    told: list[Envelope], agreement: AgreementDefined, calendar: Calendar, now: datetime
) -> int:
    """Compare the clocks of an incident as of `now`, or of when the last was told; how many there are."""
    clocks, lived = await previews.clocks_of(told, agreement, calendar), previews.lived(told)
    promised, found = promise(agreement, calendar), 0
    for metric in METRICS:
        state = clocks[metric]
        as_of = max(now, told[-1].time, state.latest)
        reading = read(state.facts, state.terms(calendar), as_of)
        found += reading is not None
        assert outcome(lived, metric, promised, as_of) == (NO_CLOCK if reading is None else outcome_of(reading)), metric
    return found


@pytest.mark.parametrize("seed", range(300))
async def test_the_agreement_in_force_changes_nothing(seed: int) -> None:
    """Verdict, target, elapsed time and due instant are those of the clock that heard of it event by event."""
    dice = random.Random(seed)
    steps = [(OPENED, START), *((event, at(hours)) for event, hours in life(dice))]
    if dice.random() < 0.2:
        last = dice.choice([IncidentCancelled(reason="x"), IncidentClosed()])
        steps.insert(dice.randint(1, len(steps)), (last, START))
        steps = [(event, max(when for _, when in steps[: n + 1])) for n, (event, _) in enumerate(steps)]
    told, calendar = previews.envelopes(steps), dice.choice([ALWAYS, OFFICE])
    for now in (2, 20, 2000):
        await assert_nothing_changes(told, random_agreement(dice), calendar, at(now))


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_changes_in_whole_stories_either(seed: int) -> None:
    dice = random.Random(seed)
    incidents = previews.by_incident(random_story(seed, 60).envelopes)
    found = 0
    for told in incidents.values():
        calendar = dice.choice([ALWAYS, OFFICE])
        now = told[-1].time + timedelta(hours=dice.choice([0, 3, 300]))
        found += await assert_nothing_changes(told, random_agreement(dice), calendar, now)
    assert len(incidents) == 60
    assert found > 60


def happened(*steps: tuple[Any, ...]) -> list[IncidentFact]:
    """Opened with priority 1; then steps like `("Held", 2, "lunch")`, so many hours afterwards."""
    found = [happening(0, "Opened", START, 1)]
    for n, (kind, hours, *more) in enumerate(steps, 1):
        found.append(happening(n, kind, at(hours), more[0] if more else None))
    return found


def gold(resolution: int | None = 4 * HOUR, pausing: tuple[str, ...] = (), calendar: Calendar = ALWAYS) -> Any:
    """Response within an hour; the other priorities have no target."""
    return promise(previews.agreement({1: (HOUR, resolution)}, pausing), calendar)


WAITED = happened(("Held", 1, "lunch"), ("Resumed", 3), ("Resolved", 5))
"""Five hours, two of which it waited; in office hours four and a half, or two and a half."""


@pytest.mark.parametrize(
    ("draft", "verdict", "elapsed"),
    [
        (gold(), "breached", 5),
        (gold(5 * HOUR - 1), "breached", 5),
        (gold(5 * HOUR), "met", 5),  # what stops it at that very instant comes first
        (gold(pausing=("lunch",)), "met", 3),
        (gold(calendar=OFFICE), "met", 3.5),
        (gold(None), "none", None),
    ],
)
def test_a_draft_judges_what_happened(draft: Any, verdict: str, elapsed: float | None) -> None:
    found = outcome(WAITED, "resolution", draft, at(100))
    hours = None if found.elapsed is None else found.elapsed / timedelta(hours=1)
    assert (found.verdict, hours) == (verdict, elapsed)


def test_what_runs_past_its_target_is_breached_and_what_is_cancelled_has_no_clock() -> None:
    for hours, verdict in ((0.5, "running"), (4, "breached"), (5, "breached")):
        assert outcome(happened(), "resolution", gold(), at(hours)).verdict == verdict
    assert outcome(happened(("Cancelled", 9)), "resolution", gold(), at(100)) == NO_CLOCK


def test_what_happened_just_ahead_of_this_clock_has_happened() -> None:
    assert outcome(happened(("Resolved", 2)), "resolution", gold(), at(1)).elapsed == timedelta(hours=2)


def test_an_incident_whose_opening_is_unknown_has_no_clock() -> None:
    assert outcome(WAITED[1:], "resolution", gold(), at(100)) == NO_CLOCK


@pytest.mark.parametrize(
    ("was", "draft", "reason"),
    [
        (gold(), gold(6 * HOUR), "target"),
        (gold(), gold(calendar=OFFICE), "working_hours"),
        (gold(), gold(pausing=("lunch",)), "pauses"),
        (gold(), gold(6 * HOUR, ("lunch",), OFFICE), "target"),
        (gold(), gold(4 * HOUR, ("lunch",), OFFICE), "working_hours"),
        (gold(3 * HOUR), gold(3 * HOUR + 1800 + 1, (), OFFICE), "working_hours"),  # neither suffices alone
        (gold(HOUR), gold(2 * HOUR + 1, ("lunch",), OFFICE), "pauses"),  # all three are needed
        (gold(), gold(None), "priority_without_target"),
        (gold(), None, "no_longer_covered"),
        (gold(6 * HOUR), gold(), "target"),
    ],
)
def test_each_change_has_one_reason(was: Any, draft: Any, reason: str) -> None:
    before = outcome(WAITED, "resolution", was, at(100)).verdict
    if draft is not None:
        assert outcome(WAITED, "resolution", draft, at(100)).verdict != before
    assert why(WAITED, "resolution", before, was, draft, at(100)) == reason


@pytest.mark.parametrize(
    ("was", "reason"), [(None, "newly_covered"), (gold(), "newly_covered"), (gold(None), "priority_without_target")]
)
def test_what_had_no_clock_is_newly_covered_or_had_no_target(was: Any, reason: str) -> None:
    """An agreement that came after the incident gave it no clock either."""
    assert why(WAITED, "resolution", "none", was, gold(), at(100)) == reason


def test_every_reason_is_said_in_both_languages() -> None:
    place, met, missed = Place(START, "i", 0, 0), Outcome("met", 60, timedelta(seconds=59)), Outcome("breached", 30)
    said = {}
    for reason in get_args(Reason):
        after = NO_CLOCK if reason == "no_longer_covered" else met
        about = (place, "INC1", None, None, 1, METRICS[0], Judged(missed, "a", 1), after, True, reason)
        said[reason] = sentence(Change(*about))
    assert said["target"] == (
        "目标由 30 秒 变为 1 分。响应原为超时，按草案为达标。",
        "The target is 1 min instead of 30 s. Its response was breached; with the draft it is met.",
    )
    assert len(set(said.values())) == len(get_args(Reason))
