"""A clock is a pure function of what happened, the terms agreed and `now`. Nothing is counted by increments.

Facts are sorted by when they happened, so those that became known late give the same result as in order. The same
function serves commands, timers, answers and, later, previews of other agreements over history.

Rules that a reader may ask for:
- Elapsed time and pauses belong to the clock, targets come and go: a new target changes neither.
- A target is breached at the first instant at which it has elapsed while the clock runs, or at once where a new
  target is exceeded already, even while paused. What stops or pauses it at that very instant comes first.
- Each target is warned of and breached once per clock. A stopped clock is judged by the target at that moment; a
  breach of an earlier, shorter target stays on record and does not make it miss a longer one.
- Of several thresholds passed at one instant the highest is announced; a breach outranks every warning.
- A verdict stands: a target given while the clock is stopped changes nothing.
- The time between stop and continuation does not count.
- What another target means for a clock that runs is the agreement's re-target policy: it counts from the opening or
  from the change, the share that is used stays used, or what remained stays. The first target counts from the opening.
- A reopening continues the clock. Where the agreement restarts it, it is granted its target anew from there: elapsed
  time goes on, and the target with it, so that nothing counted is taken back. A third policy leaves the clock stopped.
- A warning comes when its share of what the last target granted is used.
- A target by day is worth the working time up to that day, and a pause moves it by what it takes away.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from opsledger_events.contexts.sla import ReopenPolicy, RetargetPolicy
from sla.domain.calendar import Calendar, add, elapsed
from sla.domain.targets import Target, worth

FactKind = Literal["opened", "held", "resumed", "targeted", "stopped", "continued", "cancelled", "rescheduled"]
State = Literal["running", "paused", "stopped", "cancelled"]
ZERO = timedelta(0)
_SECOND = timedelta(seconds=1)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to the clock at `at`; `event` is the id of the event that told it.

    `opened` and `targeted` carry the target that is agreed (None: none), `held` a reason.
    `rescheduled` changes nothing by itself: the terms are others, and what is told of before it comes late.
    `order` tells apart what happened at one instant.
    """

    kind: FactKind
    at: datetime
    event: str = ""
    order: int = 0
    reason: str | None = None
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed: the working time, the hold reasons that pause, the percentages to warn at, the policies."""

    calendar: Calendar
    pausing: frozenset[str]
    warning_percent: tuple[int, ...] = ()
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"


@dataclass(frozen=True, slots=True)
class Interval:
    """A line of the trace: the clock was in `state` because of `event`; `counted` of the time was working time."""

    start: datetime
    end: datetime
    state: State
    reason: str | None
    event: str
    counted: timedelta


@dataclass(frozen=True, slots=True)
class Mark:
    """A threshold passed at `at`; `percent` None: the breach. `due` is when the whole target elapses or elapsed."""

    percent: int | None
    target: int
    due: datetime
    at: datetime

    @property
    def key(self) -> tuple[int | None, int]:
        """A mark is announced once per clock by this key."""
        return (self.percent, self.target)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the clock shows at an instant. `due` is None while paused short of the target, or without one.

    `agreed` is what the agreement says, `whole` the working time, from the clock's beginning, that it is due after, and
    `target` that in seconds, rounded up: they differ where a target is by day, counts from a change, or was granted
    anew.
    """

    state: State
    agreed: Target | None
    target: int | None
    whole: timedelta | None
    elapsed: timedelta
    due: datetime | None
    breached_at: datetime | None
    met: bool | None
    paused: tuple[Interval, ...]
    warnings: tuple[Mark, ...]
    trace: tuple[Interval, ...]

    @property
    def remaining(self) -> timedelta | None:
        """Working time left; negative once the target is exceeded."""
        return None if self.whole is None else self.whole - self.elapsed


@dataclass(slots=True)
class _Segment:
    """`before`: the working time until `start`; `counted`: from there to `end`, where that is known."""

    start: datetime
    end: datetime | None
    state: State
    reason: str | None
    event: str
    before: timedelta
    counted: timedelta = ZERO


@dataclass(slots=True)
class _Walk:
    """`whole`: the working time that the clock is due after; `grant`: how much of it the last target gave.

    `since`: the instant that targets count from, and the working time until then. `told`: the marks in the order in
    which they are announced; none of a clock that was cancelled.
    """

    segments: list[_Segment] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    agreed: Target | None = None
    whole: timedelta | None = None
    grant: timedelta = ZERO
    met: bool | None = None
    since: tuple[datetime, timedelta] | None = None
    told: tuple[Mark, ...] = ()

    @property
    def target(self) -> int | None:
        """Whole seconds, by which targets are told apart."""
        return None if self.whole is None else -(-self.whole // _SECOND)

    def take(self, fact: Fact, spent: timedelta, terms: Terms) -> None:
        """The target after a fact that left the clock running or paused, with `spent` on it."""
        if self.since is None or (fact.kind == "continued" and terms.reopen == "restart"):
            self.since = (fact.at, spent)
            if fact.kind == "continued":
                self._count(self.agreed, fact.at, spent, terms)
        if fact.kind not in ("opened", "targeted") or (fact.target == self.agreed and self.whole is not None):
            return
        self.agreed = fact.target
        if self.whole is None or fact.target is None or terms.retarget == "from_opening":
            self._count(fact.target, *self.since, terms)
        elif terms.retarget == "from_change":
            self._count(fact.target, fact.at, spent, terms)
        elif terms.retarget == "proportional":
            self._share(fact.target, fact.at, spent, terms)

    def _count(self, agreed: Target | None, since: datetime, spent: timedelta, terms: Terms) -> None:
        self.grant = ZERO if agreed is None else worth(agreed, terms.calendar, since)
        self.whole = None if agreed is None else spent + self.grant

    def _share(self, agreed: Target, at: datetime, spent: timedelta, terms: Terms) -> None:
        """What is used up stays used up: a target that was exceeded stays."""
        left = (self.whole or ZERO) - spent
        if left > ZERO:
            grant = worth(agreed, terms.calendar, at)
            self.whole = spent + grant // _US * (left // _US) // (self.grant // _US) * _US
            self.grant = grant

    def threshold(self, percent: int | None) -> timedelta:
        """The working time at which so much of the last target is used; None: all of it."""
        whole = self.whole or ZERO
        return whole if percent is None else whole - self.grant * (100 - percent) / 100


def read(facts: Iterable[Fact], terms: Terms, now: datetime) -> Reading | None:
    """The clock as of `now`; None where it was not opened by then."""
    walk = _walk(tuple(fact for fact in facts if fact.at <= now), terms)
    return _shown(walk, terms, now, _trace(walk.segments, terms.calendar, now))


def figures_at(facts: Iterable[Fact], terms: Terms, now: datetime) -> Reading | None:
    """As `read`, without a trace: what one decision asks for again and again."""
    return _shown(_walk(tuple(fact for fact in facts if fact.at <= now), terms), terms, now, ())


def judge(facts: Iterable[Fact], terms: Terms, now: datetime) -> Reading | None:
    """As `read`, once and without a trace: for many clocks, each of which is asked one thing."""
    return _shown(_walked(tuple(fact for fact in facts if fact.at <= now), terms), terms, now, ())


def _shown(walk: _Walk, terms: Terms, now: datetime, trace: tuple[Interval, ...]) -> Reading | None:
    if not walk.segments:
        return None
    last = walk.segments[-1]
    passed = [mark for mark in walk.marks if mark.at <= now]
    breach = next((mark for mark in passed if mark.percent is None and mark.target == walk.target), None)
    return Reading(
        state=last.state,
        agreed=walk.agreed,
        target=walk.target,
        whole=walk.whole,
        elapsed=last.before + (elapsed(terms.calendar, last.start, now) if last.state == "running" else ZERO),
        due=breach.due if breach else _due(walk.segments, terms.calendar, walk.whole),
        breached_at=breach.at if breach else None,
        met=walk.met,
        paused=tuple(interval for interval in trace if interval.state == "paused"),
        warnings=tuple(mark for mark in passed if mark.percent is not None),
        trace=trace,
    )


def marks(facts: Iterable[Fact], terms: Terms) -> tuple[Mark, ...]:
    """Every warning and breach, those to come included if nothing else happens, in order. None once cancelled."""
    return _walk(tuple(facts), terms).told


def agreed_after(facts: Iterable[Fact], pausing: frozenset[str]) -> Target | None:
    """What is agreed after all facts."""
    state: State | None = None
    reason: str | None = None
    agreed: Target | None = None
    for fact in _in_order(facts):
        state, reason = _next_state(state, reason, fact, pausing) or (state, reason)
        if fact.kind in ("opened", "targeted") and state in ("running", "paused"):
            agreed = fact.target
    return agreed


def _in_order(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (fact.at, fact.order))


@lru_cache(maxsize=256)
def _walk(facts: tuple[Fact, ...], terms: Terms) -> _Walk:
    """Asked several times over for one decision: what is due, what it says, what stands afterwards."""
    return _walked(facts, terms)


def _walked(facts: Sequence[Fact], terms: Terms) -> _Walk:
    ordered = _in_order(facts)
    walk = _Walk()
    known: set[tuple[int | None, int]] = set()
    spent, cause = ZERO, ""
    state: State | None = None
    reason: str | None = None
    for index, fact in enumerate(ordered):
        after = _next_state(state, reason, fact, terms.pausing)
        if after is not None and (state, reason) != after:
            (state, reason), cause = after, fact.event
            judged = state == "stopped" and walk.whole is not None
            walk.met = (None, walk.target) not in known if judged else None
        if state is None:
            continue
        if state in ("running", "paused") and (fact.kind != "continued" or after is not None):
            walk.take(fact, spent, terms)
        end = ordered[index + 1].at if index + 1 < len(ordered) else None
        counted = elapsed(terms.calendar, fact.at, end) if state == "running" and end is not None else ZERO
        segment = _Segment(fact.at, end, state, reason, cause, spent, counted)
        walk.segments.append(segment)
        if walk.whole is not None:
            walk.marks.extend(_passed(walk, segment, walk.whole, terms, known))
        spent += counted
    if state != "cancelled":
        walk.told = tuple(sorted(walk.marks, key=lambda mark: (mark.at, mark.percent or 101)))
    return walk


def _next_state(
    state: State | None, reason: str | None, fact: Fact, pausing: frozenset[str]
) -> tuple[State, str | None] | None:
    """State and pause reason after a fact; None where the fact changes neither."""
    if state is None:
        return ("running", None) if fact.kind == "opened" else None
    if state == "cancelled":
        return None
    if fact.kind == "cancelled":
        return ("cancelled", None)
    if fact.kind == "stopped":
        return ("stopped", None)
    if fact.kind == "continued":
        return ("running", None) if state == "stopped" else None
    if fact.kind == "held" and state != "stopped":
        return ("paused", fact.reason) if fact.reason in pausing else ("running", None)
    if fact.kind == "resumed" and state == "paused":
        return ("running", None)
    return None


def _passed(
    walk: _Walk, segment: _Segment, whole: timedelta, terms: Terms, known: set[tuple[int | None, int]]
) -> Sequence[Mark]:
    """The thresholds first passed in this segment; several at one instant leave the highest."""
    target = -(-whole // _SECOND)
    found: dict[datetime, int | None] = {}
    for percent in (*sorted(terms.warning_percent), None):
        if (percent, target) in known:
            continue
        missing = walk.threshold(percent) - segment.before
        if segment.state == "running":
            if segment.end is not None and missing > segment.counted:
                continue
            at = add(terms.calendar, segment.start, missing)
            if segment.end is not None and at >= segment.end:
                continue
        elif segment.state == "paused" and missing < ZERO:
            at = segment.start
        else:
            continue
        known.add((percent, target))
        found[at] = percent
    if not found:
        return []
    due = _due([*walk.segments[:-1], _open_ended(segment)], terms.calendar, whole)
    if due is None:  # paused: as if it went on at once
        due = add(terms.calendar, segment.start, whole - segment.before)
    return [Mark(percent, target, due, at) for at, percent in found.items()]


def _open_ended(one: _Segment) -> _Segment:
    return _Segment(one.start, None, one.state, one.reason, one.event, one.before)


def _due(segments: Sequence[_Segment], calendar: Calendar, whole: timedelta | None) -> datetime | None:
    """When the target elapsed, elapses, or would have elapsed had the clock not been stopped."""
    if whole is None:
        return None
    running = [segment for segment in segments if segment.state == "running"]
    for segment in running:
        if segment.end is None or whole - segment.before <= segment.counted:
            return add(calendar, segment.start, whole - segment.before)
    if segments[-1].state != "stopped" or not running:
        return None
    return add(calendar, running[-1].start, whole - running[-1].before)


def _trace(segments: Sequence[_Segment], calendar: Calendar, now: datetime) -> tuple[Interval, ...]:
    found: list[Interval] = []
    for segment in segments:
        end = now if segment.end is None else segment.end
        if end <= segment.start:
            continue
        counted = segment.counted
        if segment.state == "running" and segment.end is None:
            counted = elapsed(calendar, segment.start, end)
        last = found[-1] if found else None
        if last is not None and (last.state, last.reason, last.event) == (segment.state, segment.reason, segment.event):
            found[-1] = Interval(last.start, end, last.state, last.reason, last.event, last.counted + counted)
        else:
            found.append(Interval(segment.start, end, segment.state, segment.reason, segment.event, counted))
    return tuple(found)
