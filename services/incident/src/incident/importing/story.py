"""From the rows of one incident to the events that they tell. Pure.

Each row is compared with what the rows before it led to, and what differs becomes events: those of the row's own
instant, in the order opened, reopened, prioritised, assigned, noted, and at last its state. The desk's rules forbid
nothing here; where they would have, that is noted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from incident.domain.commands import (
    AssignIncident,
    CancelIncident,
    CloseIncident,
    Command,
    HoldIncident,
    PrioritiseIncident,
    ReopenIncident,
    ResolveIncident,
    ResumeIncident,
    StartIncident,
)
from incident.domain.decider import DECIDER, decide
from incident.domain.state import Incident, State
from incident.importing.history import HistoryRow
from opsledger_events import Event
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
)
from opsledger_runtime import ids
from opsledger_runtime.errors import DomainError

UNNAMED: Final = "unknown-team"
"""Who is responsible where the log says that it was handed over and not to whom."""

_LOWEST: Final = 3
_LOWEST_PRIORITY: Final = 5
_ENDED: Final = frozenset({State.RESOLVED, State.CLOSED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Note:
    """What is irregular about a row; `kind` is a constant word, `text` a sentence that begins after the row."""

    line: int
    number: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """Events of one instant that one row tells. `command` is the same whenever that row is read again."""

    line: int
    at: datetime
    command: UUID
    events: tuple[Event, ...]
    actor: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """One incident's steps, in order of time, and what is irregular about its rows."""

    number: str
    incident: str
    rows: int
    steps: tuple[Step, ...]
    notes: tuple[Note, ...]


def incident_id(system: str, number: str) -> str:
    """The incident that `system` calls `number`."""
    return str(ids.derived_id("imported", system, number))


def story(system: str, rows: Sequence[HistoryRow]) -> Story:
    """What the rows of one incident tell, in their own order; at least one. Never raises, whatever they say."""
    number, told = rows[0].number, _Told(system)
    steps = [step for row in rows for step in told.of(row)]
    return Story(number, incident_id(system, number), len(rows), tuple(steps), tuple(told.notes))


class _Told:
    """What the rows so far have led to."""

    def __init__(self, system: str) -> None:
        self.notes: list[Note] = []
        self._system = system
        self._incident: Incident = DECIDER.initial_state
        self._last: HistoryRow | None = None
        self._at: datetime | None = None
        self._seen: Counter[str] = Counter()
        self._started = False

    def of(self, row: HistoryRow) -> Iterator[Step]:
        self._row = row
        self._seen[row.identity] += 1
        command = ids.derived_id("imported", self._system, row.number, row.identity, str(self._seen[row.identity]))
        for doubt in row.doubts:
            self._note(doubt, "has a local time that was decided on, see docs/import.md")
        if self._seen[row.identity] > 1:
            self._note("repeated", "repeats an earlier row")
        if self._at is None:
            self._at = row.opened_at or row.at
            yield Step(row.line, self._at, command, (self._after(self._opened()),), row.actor)
        if row.at < self._at:
            first = self._last is None
            kind, than = ("before_opening", "the opening") if first else ("out_of_order", "what stands above")
            self._note(kind, f"is dated before {than}, and was recorded as of {self._at:%Y-%m-%dT%H:%MZ}")
        self._at = max(self._at, row.at)
        events = tuple(self._events())
        if events:
            yield Step(row.line, self._at, command, events, row.actor)
        self._compare(events)
        self._last = row

    def _note(self, kind: str, text: str) -> None:
        self.notes.append(Note(self._row.line, self._row.number, kind, text))

    def _after(self, event: Event) -> Event:
        self._started = self._started or isinstance(event, IncidentStarted)
        self._incident = DECIDER.evolve(self._incident, event)
        return event

    def _opened(self) -> IncidentOpened:
        row = self._row
        impact, urgency, priority = self._judged(_LOWEST, _LOWEST, _LOWEST_PRIORITY)
        if None in (row.impact, row.urgency, row.priority):
            self._note("unknown_priority", "states no impact, urgency or priority: the lowest was recorded")
        return IncidentOpened(
            number="",
            title=row.title,
            description=row.description,
            impact=impact,
            urgency=urgency,
            priority=priority,
            category=row.category,
            configuration_item=row.configuration_item,
            requester=row.requester,
            channel=row.channel,
            external_system=self._system,
            external_number=row.number,
        )

    def _events(self) -> Iterator[Event]:
        row = self._row
        if row.standing is None:
            self._note("unknown_state", "is in no state that is known: its state was left as it was")
        elif self._last is None and row.standing != "new":
            self._note("begins", f"is the first of its incident and shows it {row.standing} already")
        for events in (self._reopened, self._prioritised, self._assigned, self._noted, self._moved):
            for event in events():
                if self._last is not None:
                    self._judge(event)
                yield self._after(event)

    def _reopened(self) -> Iterator[Event]:
        ended = self._incident.state in _ENDED
        counted = self._last is not None and _more(self._last.reopenings, self._row.reopenings) > 0
        open_now = self._row.standing in ("new", "active", "held")
        again = self._incident.state is State.CLOSED and self._row.standing == "resolved"
        if ended and (counted or open_now or again):
            yield IncidentReopened(reason=f"Reopened in {self._system}; its log gives no reason.")

    def _prioritised(self) -> Iterator[Event]:
        now = self._incident
        impact, urgency, priority = self._judged(now.impact, now.urgency, now.priority)
        if (impact, urgency, priority) != (now.impact, now.urgency, now.priority):
            yield IncidentPrioritised(impact=impact, urgency=urgency, priority=priority, previous_priority=now.priority)

    def _judged(self, impact: int, urgency: int, priority: int) -> tuple[int, int, int]:
        """As the row says, else as given."""
        row = self._row
        return row.impact or impact, row.urgency or urgency, row.priority or priority

    def _assigned(self) -> Iterator[Event]:
        row, now = self._row, self._incident
        moved = self._last is not None and _more(self._last.reassignments, row.reassignments) > 0
        if row.team is None and moved and now.team != UNNAMED:
            self._note("unnamed_team", f"was handed to a group that the log does not name: recorded as {UNNAMED}")
            yield _assignment(now, UNNAMED, row.assignee)
        elif row.team is None:
            if row.assignee not in (None, now.assignee):
                if now.team is None:
                    self._note("unnamed_team", f"names a person and no group: recorded as of {UNNAMED}")
                yield _assignment(now, now.team or UNNAMED, row.assignee)
        else:
            if moved and now.team is None:
                self._note("unnamed_team", f"was taken over from a group that the log does not name: {UNNAMED}")
                yield _assignment(now, UNNAMED, None)
            now = self._incident
            if row.team != now.team or row.assignee not in (None, now.assignee):
                yield _assignment(now, row.team, row.assignee)

    def _noted(self) -> Iterator[Event]:
        if self._last is None:
            return
        before = dict(self._last.particulars)
        changed = [f"{name}: {before[name]} → {now}" for name, now in self._row.particulars if before[name] != now]
        if changed:
            yield IncidentNoted(text="\n".join(changed), public=False)

    def _moved(self) -> Iterator[Event]:
        standing, state = self._row.standing, self._incident.state
        match standing:
            case "new" if state is State.ON_HOLD:
                yield IncidentResumed()
            case "active":
                if state is State.ON_HOLD:
                    yield IncidentResumed()
                if state is not State.IN_PROGRESS and not (state is State.ON_HOLD and self._started):
                    yield IncidentStarted(assignee=self._row.assignee)  # also where it waited before anybody began
            case "held":
                yield from self._held()
            case "resolved" if state is not State.RESOLVED:
                yield IncidentResolved(responsibility=self._row.responsibility, resolution=self._row.resolution)
            case "closed" if state is not State.CLOSED:
                yield IncidentClosed()
            case "cancelled" if state is not State.CANCELLED:
                yield IncidentCancelled(reason=f"Cancelled in {self._system}; its log gives no reason.")

    def _held(self) -> Iterator[Event]:
        """Every wait has one beginning, one end and one reason, so another reason ends the one before."""
        reason = self._row.hold_reason
        if self._incident.state is State.ON_HOLD:
            if self._incident.hold_reason == reason:
                return
            yield IncidentResumed()
        yield IncidentHeld(reason=reason)

    def _judge(self, event: Event) -> None:
        """Note it where the desk would have refused."""
        command = _asked(event)
        if command is not None:
            try:
                decide(command, self._incident)
            except DomainError as refused:
                self._note(refused.code, f"tells {event.event_name()}, which this desk refuses: {refused}")

    def _compare(self, events: Sequence[Event]) -> None:
        """Note where the source counted something else than was recorded."""
        row, last = self._row, self._last
        moves = [event for event in events if isinstance(event, IncidentAssigned) and event.previous_team]
        moved = sum(event.previous_team != event.team for event in moves)
        reopened = sum(isinstance(event, IncidentReopened) for event in events)
        for name, counted, shown in (
            ("reassignment", _more(last.reassignments if last else 0, row.reassignments), moved),
            ("reopen", _more(last.reopenings if last else 0, row.reopenings), reopened),
        ):
            if counted != shown and None not in (row.reassignments, row.reopenings):
                self._note(
                    f"{name}_count", f"raises {name}_count by {counted}, and shows {shown} of it: {shown} recorded"
                )


def _more(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else after - before


def _assignment(now: Incident, team: str, assignee: str | None) -> IncidentAssigned:
    return IncidentAssigned(team=team, assignee=assignee, previous_team=now.team, previous_assignee=now.assignee)


def _asked(event: Event) -> Command | None:
    """The command by which the desk would have done the same; None where nothing is asked."""
    match event:
        case IncidentAssigned():
            return AssignIncident(event.team, event.assignee)
        case IncidentStarted():
            return StartIncident(event.assignee)
        case IncidentHeld():
            return HoldIncident(event.reason)
        case IncidentResumed():
            return ResumeIncident()
        case IncidentPrioritised():
            return PrioritiseIncident(event.impact, event.urgency)
        case IncidentResolved():
            return ResolveIncident(event.responsibility, event.resolution)
        case IncidentReopened():
            return ReopenIncident(event.reason)
        case IncidentClosed():
            return CloseIncident()
        case IncidentCancelled():
            return CancelIncident(event.reason)
        case _:
            return None
