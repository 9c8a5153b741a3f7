"""The lines of a clock's account: every interval and everything that happened to it, in order. Pure.

Figures come from the clock function alone; this module cuts, orders and names. The counted time of the lines adds up
to what the clock shows as elapsed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from opsledger_events.contexts.sla import SLAClockRescheduled, SLAClockStarted, SLAClockTermsChanged
from sla.domain.calendar import Calendar, elapsed, is_provisional
from sla.domain.clock import Fact, Interval, Reading, State, Terms, read
from sla.explaining.moves import Move, due_if_running, first_due, moves
from sla.explaining.notes import Note, notes_of
from sla.explaining.pieces import LONGEST, Name, Piece, cut, summary
from sla.explaining.story import Story, Told

_ZERO: Final = timedelta(0)
_ONE_NIGHT: Final = timedelta(hours=24)
_NIGHT_BY_NIGHT: Final = LONGEST
"""A clock of a few days is told night by night; in a longer one only stretches of a day are."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: an interval from `start` to `end`, or something that happened at `start`.

    `kind` and `late` name its sentence in the catalogues, `values` fill it. `rule` is the calendar's. `counted` is
    what the interval added to the clock, `working` how much working time it held, `elapsed` the clock's figure after.
    """

    kind: str
    start: datetime
    end: datetime | None = None
    state: State | None = None
    reason: str | None = None
    rule: str | None = None
    counted: timedelta = _ZERO
    working: timedelta = _ZERO
    elapsed: timedelta = _ZERO
    event: Told | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """A clock explained as of an instant: its reading, the lines, and how the due instant moved."""

    as_of: datetime
    calendar: Calendar
    reading: Reading
    breached_at: datetime | None
    lines: tuple[Line, ...]
    first_due: datetime | None
    moves: tuple[Move, ...]
    due_if_resumed: datetime | None

    @property
    def over(self) -> timedelta:
        """Working time beyond the target; zero within it."""
        return max(-(self.reading.remaining or _ZERO), _ZERO)

    @property
    def due_provisional(self) -> bool:
        """Whether the due instant is still to come, and later than the last day that the calendar is sure of."""
        due = self.reading.due or self.due_if_resumed
        waits = self.reading.state in ("running", "paused") and self.breached_at is None
        return waits and due is not None and is_provisional(self.calendar, due)


class Names(NamedTuple):
    """Names of dated days, to be shown in the reader's language."""

    names: tuple[Name, ...]


class Reason(NamedTuple):
    """A hold reason, to be shown in the reader's language."""

    code: str


def account(story: Story, calendar: Calendar, as_of: datetime) -> Account | None:
    """The clock explained as of `as_of`; None where it was not opened by then."""
    terms = story.state.terms(calendar)
    facts = known_by(story.state.facts, as_of)
    reading = read(facts, terms, as_of)
    if reading is None:
        return None
    notes = notes_of(story, facts, terms, reading, as_of)
    cuts = sorted({note.at for note in notes if not note.corrects})
    longest = _NIGHT_BY_NIGHT if as_of - facts[0].at <= LONGEST else _ONE_NIGHT
    found: list[tuple[datetime, int, Line]] = [(note.at, 0, _of_note(note)) for note in notes]
    for interval in reading.trace:
        found += [(line.start, 1, line) for line in _of_interval(interval, cuts, story, calendar, longest)]
    found.sort(key=lambda one: one[:2])
    lines, total = [], _ZERO
    for _, _, line in found:
        total += line.counted
        lines.append(replace(line, elapsed=total))
    first = first_due(facts, terms)
    by_revision = _by_revision(story, first, terms, as_of)
    first = by_revision[0].before if by_revision else first
    return Account(
        as_of=as_of,
        calendar=calendar,
        reading=reading,
        breached_at=story.state.breached_at(reading),
        lines=tuple(lines),
        first_due=first,
        moves=() if reading.state == "cancelled" else (*by_revision, *moves(facts, terms, as_of)),
        due_if_resumed=due_if_running(facts, terms, as_of) if reading.state == "paused" else None,
    )


def _by_revision(story: Story, first: datetime | None, terms: Terms, as_of: datetime) -> tuple[Move, ...]:
    """Another revision of the calendar or the agreement holds from the beginning: it moved the first due instant."""
    revised = story.of(SLAClockRescheduled), story.of(SLAClockTermsChanged)
    by_calendar, by_agreement = ([told.happened_at for told, _ in one if told.happened_at <= as_of] for one in revised)
    applied = [*by_calendar, *by_agreement]
    started = story.of(SLAClockStarted)
    if not applied or not started or first is None or started[-1][1].due_at == first:
        return ()
    due = started[-1][1].due_at
    working = elapsed(terms.calendar, min(due, first), max(due, first))
    return (Move("agreement" if by_agreement else "calendar", max(applied), due, first, working),)


def known_by(facts: Sequence[Fact], as_of: datetime) -> tuple[Fact, ...]:
    """The facts up to an instant, in the order in which they happened."""
    return tuple(sorted((fact for fact in facts if fact.at <= as_of), key=lambda fact: (fact.at, fact.order)))


def _of_note(note: Note) -> Line:
    return Line(note.kind, note.at, event=note.told, values=note.values)


def _of_interval(
    interval: Interval, cuts: Sequence[datetime], story: Story, calendar: Calendar, longest: timedelta
) -> list[Line]:
    told = story.teller_of(interval.event, interval.start)
    between = cuts[bisect_right(cuts, interval.start) : bisect_left(cuts, interval.end)]
    found: list[Line] = []
    for start, end in zip([interval.start, *between], [*between, interval.end], strict=True):
        if interval.state == "running":
            found += _running(start, end, told, calendar, longest)
        else:
            found.append(_still(interval, start, end, told, calendar))
    return found


def _running(start: datetime, end: datetime, told: Told | None, calendar: Calendar, longest: timedelta) -> list[Line]:
    pieces = cut(calendar, start, end, longest=longest)
    if pieces is not None:
        return [_of_piece(piece, told, calendar) for piece in pieces]
    counted = elapsed(calendar, start, end)
    said = summary(calendar, start, end)
    values = {"days": said.working_days, "counted": counted, "uncounted": end - start - counted}
    kind = "long_closed" if not counted else "long_run"
    if said.closed and counted:
        kind, values = "long_run_holidays", {**values, "names": Names(said.closed[:5])}
    return [Line(kind, start, end, "running", None, "summary", counted, counted, event=told, values=values)]


def _of_piece(piece: Piece, told: Told | None, calendar: Calendar) -> Line:
    counted = elapsed(calendar, piece.start, piece.end)
    values: dict[str, Any] = {"counted": counted} if piece.works else {}
    if piece.rule in ("make_up_day", "holiday"):
        values["names"] = Names(piece.names)
    return Line(
        piece.rule, piece.start, piece.end, "running", None, piece.rule, counted, counted, event=told, values=values
    )


def _still(interval: Interval, start: datetime, end: datetime, told: Told | None, calendar: Calendar) -> Line:
    working = elapsed(calendar, start, end)
    kind: str = interval.state
    values: dict[str, Any] = {}
    if interval.state == "paused":
        kind = "paused" if working else "paused_closed"
        values = {"reason": Reason(interval.reason or "")} | ({"working": working} if working else {})
    return Line(kind, start, end, interval.state, interval.reason, None, _ZERO, working, event=told, values=values)
