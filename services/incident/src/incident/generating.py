"""Invented incident histories: which commands an incident's life consists of, and when each happened. Pure.

A life is decided by the plan's seed and the incident's index alone, so that the same plan tells the same lives again.
What the commands lead to is the decider's business; nothing here makes an event.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Final, Literal
from uuid import UUID

from incident.domain.commands import (
    AssignIncident,
    CancelIncident,
    CloseIncident,
    Command,
    HoldIncident,
    NoteIncident,
    OpenIncident,
    PrioritiseIncident,
    ReopenIncident,
    ResolveIncident,
    ResumeIncident,
    StartIncident,
)
from incident.domain.matrix import priority_of
from incident.generated_words import CANCELLED, NOTES, PLACES, REOPENED, SUBJECTS, WAITING, Subject
from opsledger_events.contexts.incident import Channel, Responsibility
from opsledger_runtime import ids

Profile = Literal["full", "brief"]
"""`full`: about five events each, as a service desk works. `brief`: opened and resolved, for large histories."""

ACTOR: Final = "service:generator"
ORGANISATIONS: Final = 8
REQUESTERS: Final = 2_000
ENGINEERS: Final = 60

_ZONE: Final = timedelta(hours=8)
"""Office hours are those of Shanghai, which changes no clocks."""

_MONDAY: Final = datetime(2001, 1, 1, tzinfo=UTC) - _ZONE
_HOUR: Final = 3600
_WEEK: Final = 168 * _HOUR
_BUSY: Final = tuple(
    12 if day < 5 and 8 <= hour < 18 else 3 if day < 5 and 7 <= hour < 22 else 1
    for day in range(7)
    for hour in range(24)
)
"""How many incidents an hour of the week brings, compared with the quietest."""

_BEFORE: Final = tuple(sum(_BUSY[:hour]) for hour in range(169))
_PARTS: Final = 1 << 20

_CHANNELS: Final[tuple[Channel, ...]] = (
    *("phone", "phone", "phone", "portal", "portal", "portal"),
    *("email", "chat", "monitoring", "monitoring", "walk-in", "other"),
)
_LEVELS: Final = (1, 2, 2, 2, 3, 3, 3, 3)
_RESPONSIBLE: Final[tuple[Responsibility, ...]] = ("provider", "provider", "provider", "customer", "third_party")
_RESPOND: Final = (0, 15, 30, 120, 240, 480)
_RESOLVE: Final = (0, 240, 480, 1440, 4320, 7200)
"""Minutes within which incidents of priority 1 to 5 are mostly, and not always, begun and resolved."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which lives: `count` incidents from index `first`, opened in order of index between `start` and `until`.

    The last `stay_open` of them are not resolved. Nothing happens at or after `until`: a full life is cut off there.
    """

    seed: int
    first: int
    count: int
    start: datetime
    until: datetime
    profile: Profile = "full"
    stay_open: int = 0
    _from: int = field(init=False, repr=False)
    _busy: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        begin = _busy_until(self.start)
        object.__setattr__(self, "_from", begin)
        object.__setattr__(self, "_busy", _busy_until(self.until) - begin)

    @property
    def import_id(self) -> str:
        """What marks these histories as imported."""
        return f"generated-{self.seed}"

    def opened(self, index: int, part: int) -> datetime:
        """When incident `index` was opened; `part` of 2**20 of the way to the next one."""
        into = self._busy * ((index - self.first) * _PARTS + part) // (self.count * _PARTS)
        return _at_busy(self._from + into)

    def stays_open(self, index: int) -> bool:
        """Whether nobody resolves it."""
        return index >= self.first + self.count - self.stay_open


@dataclass(frozen=True, slots=True)
class Step:
    """A command and when it was given; in order of time within a life."""

    at: datetime
    command: Command


def command_id(seed: int, index: int) -> UUID:
    """The one command id of a whole life, since it is told in one breath; a repeated one has no effect."""
    return ids.derived_id("generated", str(seed), str(index))


def incident_id(command: UUID) -> str:
    """The incident that the command opens, derived as for every other incident."""
    return str(ids.derived_id("incident", str(command)))


def life(plan: Plan, index: int, number: str) -> list[Step]:
    """Everything that was asked of incident `index`, which bears `number`; the first step opens it."""
    choose = _Choices(plan.seed, index)
    subject = SUBJECTS[choose(len(SUBJECTS))]
    at = plan.opened(index, choose(_PARTS))
    opening = _opening(choose, subject, number, with_team=plan.profile == "full")
    told = _brief if plan.profile == "brief" else _full
    steps = [Step(at, opening)]
    for after, command in told(choose, subject, opening, plan.stays_open(index)):
        if plan.profile == "brief":  # so many stay open and no more: the newest are resolved in a hurry
            after = min(after, int((plan.until - at).total_seconds()) // 2)
        at += timedelta(seconds=after)
        if at >= plan.until:
            break
        steps.append(Step(at, command))
    return steps


_After = Iterator[tuple[int, Command]]
"""Commands, each with the seconds since the one before."""


def _brief(choose: "_Choices", subject: Subject, opening: OpenIncident, stays_open: bool) -> _After:
    if not stays_open:
        yield _within(choose, _RESOLVE[priority_of(opening.impact, opening.urgency)]), _resolution(choose, subject)


def _full(choose: "_Choices", subject: Subject, opening: OpenIncident, stays_open: bool) -> _After:
    if stays_open:
        yield from _work(choose, subject, opening, stages=choose(6))
        return
    chance = choose(100)
    if chance < 3:
        yield 60 * (2 + choose(120)), CancelIncident(CANCELLED[choose(len(CANCELLED))])
        return
    if chance < 15 and opening.team is None:  # restored while the caller was still on the phone
        yield 60 * (2 + choose(20)), _resolution(choose, subject)
    else:
        yield from _work(choose, subject, opening, stages=5)
        yield from _brief(choose, subject, opening, stays_open)
    if choose(100) < 4:
        yield _HOUR * (1 + choose(30)), ReopenIncident(REOPENED[choose(len(REOPENED))])
        yield _HOUR * (1 + choose(20)), _resolution(choose, subject)
    yield _HOUR * (4 + choose(92)), CloseIncident()


def _work(choose: "_Choices", subject: Subject, opening: OpenIncident, *, stages: int) -> _After:
    """Until it is resolved: assigned (1), begun (2), judged anew and noted (3), held (4), resumed (5)."""
    response = _within(choose, _RESPOND[priority_of(opening.impact, opening.urgency)])
    engineer = f"engineer-{choose(ENGINEERS) + 1:02d}"
    if stages >= 1:
        yield response // 3, AssignIncident(subject.team, engineer if choose(3) else None)
    if stages >= 2:
        yield response - response // 3, StartIncident(engineer)
    if stages >= 3:
        if choose(100) < 12:
            yield 60 * (1 + choose(30)), PrioritiseIncident(opening.impact, 3 if opening.urgency == 2 else 2)
        if choose(100) < 25:
            yield 60 * (1 + choose(90)), NoteIncident(NOTES[choose(len(NOTES))], public=choose(2) == 0)
    if stages == 4 or (stages == 5 and choose(100) < 18):
        reason, note = WAITING[choose(len(WAITING))]
        yield 60 * (5 + choose(60)), HoldIncident(reason, note)
        if stages == 5:
            yield 60 * (20 + choose(1200)), ResumeIncident()


def _opening(choose: "_Choices", subject: Subject, number: str, *, with_team: bool) -> OpenIncident:
    channel = _CHANNELS[choose(len(_CHANNELS))]
    item = f"{subject.item}-{choose(1000):03d}"
    place, floor = PLACES[choose(len(PLACES))], choose(20) + 1
    fault = subject.faults[choose(len(subject.faults))]
    chinese = f"{place[0]}{floor}层{subject.thing[0]} {item} {fault[0]}"
    english = f"{subject.thing[1]} {item} {fault[1]}, {place[1]}, floor {floor}"
    language = choose(10)
    return OpenIncident(
        number=number,
        title=chinese if language < 5 else english if language < 8 else f"{chinese} / {english}",
        impact=_LEVELS[choose(len(_LEVELS))],
        urgency=_LEVELS[choose(len(_LEVELS))],
        description=f"{chinese}，影响 {choose(40) + 1} 人。{english}.",
        category=subject.category,
        service=subject.service,
        configuration_item=item,
        organisation=f"organisation-{min(choose(ORGANISATIONS), choose(ORGANISATIONS)) + 1}",
        requester=None if channel == "monitoring" else f"person-{choose(REQUESTERS) + 1:04d}",
        channel=channel,
        team=subject.team if with_team and channel == "monitoring" else None,
    )


def _resolution(choose: "_Choices", subject: Subject) -> ResolveIncident:
    remedy = subject.remedies[choose(len(subject.remedies))]
    return ResolveIncident(_RESPONSIBLE[choose(len(_RESPONSIBLE))], f"{remedy[0]} / {remedy[1]}")


def _within(choose: "_Choices", minutes: int) -> int:
    """Seconds: mostly much less than so many minutes, for about one in twenty up to a quarter more."""
    return 60 + minutes * (1 + choose(16)) * (1 + choose(16)) * 60 // 205


def _busy_until(instant: datetime) -> int:
    """How much work the weeks have brought until `instant`, in incidents of the quietest hour times seconds."""
    weeks, second = divmod(int((instant - _MONDAY).total_seconds()), _WEEK)
    hour, rest = divmod(second, _HOUR)
    return (weeks * _BEFORE[168] + _BEFORE[hour]) * _HOUR + rest * _BUSY[hour]


def _at_busy(work: int) -> datetime:
    """The instant at which so much work has come: the inverse of `_busy_until`."""
    weeks, rest = divmod(work, _BEFORE[168] * _HOUR)
    hour = bisect_right(_BEFORE, rest // _HOUR) - 1
    second = hour * _HOUR + (rest - _BEFORE[hour] * _HOUR) // _BUSY[hour]
    return _MONDAY + timedelta(seconds=weeks * _WEEK + second)


class _Choices:
    """Numbers that a seed and an index decide: the digits of a hash, in whatever bases they are asked for."""

    __slots__ = ("_hash", "_more", "_value")

    def __init__(self, seed: int, index: int) -> None:
        self._hash = partial(blake2b, digest_size=64, key=b"%d" % seed)
        self._more: Callable[[], int] = iter(self._digests(index)).__next__
        self._value = self._more()

    def _digests(self, index: int) -> Iterator[int]:
        ordinal = 0
        while True:
            yield int.from_bytes(self._hash(b"%d.%d" % (index, ordinal)).digest())
            ordinal += 1

    def __call__(self, below: int) -> int:
        """At least 0, less than `below`, which is at most 2**20."""
        self._value, found = divmod(self._value, below)
        if self._value < 1 << 40:
            self._value = self._more()
        return found
