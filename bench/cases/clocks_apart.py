"""In a process of its own: clocks evaluated and re-targeted, each beside the bare loop over the same intervals."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, get_args

from bench.cases import clocks_limit, clocks_stories
from bench.cases.clocks_limit import Days, Step
from opsledger_events import Event
from opsledger_events.contexts.sla import RetargetPolicy, SLAClockRetargeted
from sla.domain.calendar import Calendar
from sla.domain.clock import Fact, Reading, _walk, read
from sla.domain.commands import Agreed, Command, PauseClock, ResumeClock, RetargetClock, StartClock, Subject
from sla.domain.decider import CLOCK
from sla.domain.state import ClockState

T = TypeVar("T")
POLICIES: Final[tuple[RetargetPolicy, ...]] = get_args(get_args(RetargetPolicy)[0])
_SUBJECT: Final = Subject("incident", "INC0000042", "核心交换机端口抖动", 3, "acme", "core-network", "network")
_DAYS_BEYOND: Final = 2_000


class _Times:
    """Milliseconds of each call, and the processor time of all."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self._used = 0.0

    def of(self, work: Callable[[], T]) -> T:
        """Call and time it."""
        used, begun = time.process_time(), time.monotonic()
        answer = work()
        self.ms.append((time.monotonic() - begun) * 1000)
        self._used += time.process_time() - used
        return answer

    def told(self) -> dict[str, Any]:
        return {"ms": self.ms, "cpu_ms": self._used * 1000 / max(1, len(self.ms))}


async def evaluate(days: int, stories: int) -> dict[str, Any]:
    """Stories of so many days: read for the first time, read again as within a decision, and counted by the loop.

    One after the other, so that what else the machine does hits all three. Also the time until the first reading with
    a calendar, whose years are laid out then, and how many readings differ from the loop's.
    """
    calendar = clocks_stories.calendar()
    terms, told, laid_out = clocks_stories.terms(calendar), clocks_stories.stories(days, stories), _laid_out(calendar)
    first, cold, again, bare = _Times(), _Times(), _Times(), _Times()
    first.of(partial(read, told[0][0], terms, told[0][1]))
    _walk.cache_clear()
    differ = 0
    for facts, now in told:
        kept, steps = tuple(facts), [_step(fact) for fact in facts]
        reading = cold.of(partial(read, kept, terms, now))
        again.of(partial(read, kept, terms, now))
        differ += not _same(reading, bare.of(partial(clocks_limit.count, steps, laid_out, "from_opening", now)))
    return {"first_ms": first.ms[0], "cold": cold.told(), "again": again.told(), "bare": bare.told(), "differ": differ}


async def retarget(days: int, stories: int) -> dict[str, Any]:
    """By policy: one more change of priority on usual clocks, decided and evolved, and counted by the loop."""
    calendar = clocks_stories.calendar()
    laid_out = _laid_out(calendar)
    wanted = clocks_stories.targets(days)[0] + 3600
    found: dict[str, Any] = {}
    for policy in POLICIES:
        own, bare, differ = _Times(), _Times(), 0
        for facts, now in clocks_stories.stories(days, stories):
            state = _lived(facts, calendar, policy)
            command = RetargetClock(**_about(calendar, now), target=wanted)
            if not own.ms:
                _told(command, state)  # the years of the calendar are laid out by it
            _walk.cache_clear()
            events, _ = own.of(partial(_told, command, state))
            steps = [*map(_step, facts), ("targeted", now, wanted)]
            differ += not _same_target(events, bare.of(partial(clocks_limit.count, steps, laid_out, policy, now)))
        found[policy] = {"own": own.told(), "bare": bare.told(), "differ": differ}
    return found


def _lived(facts: list[Fact], calendar: Calendar, policy: RetargetPolicy) -> ClockState:
    """The clock that has been told of these facts, from its own events."""
    state = CLOCK.initial_state
    for fact in facts:
        for event in CLOCK.decide(_command(fact, calendar, policy), state):
            state = CLOCK.evolve(state, event)
    return state


def _command(fact: Fact, calendar: Calendar, policy: RetargetPolicy) -> Command:
    about = _about(calendar, fact.at)
    if fact.kind == "held":
        return PauseClock(**about, reason=fact.reason or "")
    if fact.kind == "resumed":
        return ResumeClock(**about)
    if fact.kind == "targeted":
        return RetargetClock(**about, target=fact.target)
    agreed = Agreed(
        *("agreement", 1, "calendar", 1, "2026a", clocks_stories.WARNINGS, tuple(clocks_stories.PAUSING), policy)
    )
    return StartClock(**about, metric="resolution", agreed=agreed, target=fact.target or 0, started_at=fact.at)


def _about(calendar: Calendar, at: datetime) -> dict[str, Any]:
    return {"subject": _SUBJECT, "calendar": calendar, "at": at, "cause": "event"}


def _told(command: RetargetClock, state: ClockState) -> tuple[list[Event], ClockState]:
    events = list(CLOCK.decide(command, state))
    for event in events:
        state = CLOCK.evolve(state, event)
    return events, state


def _laid_out(calendar: Calendar) -> Days:
    first = clocks_stories.BEGAN.date()
    return clocks_limit.days_of(calendar, first, first + timedelta(days=_DAYS_BEYOND))


def _step(fact: Fact) -> Step:
    return (fact.kind, fact.at, fact.reason if fact.kind == "held" else fact.target)


def _same(reading: Reading | None, known: clocks_limit.Known) -> bool:
    if reading is None:
        return False
    verdict = "running" if reading.breached_at is None else "breached"
    return (verdict, reading.elapsed, reading.due) == (known.verdict, known.elapsed, known.due)


def _same_target(events: list[Event], known: clocks_limit.Known) -> bool:
    (event,) = events
    if not isinstance(event, SLAClockRetargeted):
        return False
    return (event.target_seconds, event.due_at) == (-(-known.target // timedelta(seconds=1)), known.due)
