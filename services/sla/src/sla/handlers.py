"""Load a clock, decide, append: how incident events and timers reach the aggregate, in the order they happened.

Before something that happened at T is recorded, warnings and breaches of instants before T are announced, at their
own instants: what a late timer would say is said first. A report from before something announced goes through
`AdmitLateReport`, whose events alone may step back in time.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.store import Loaded, Metadata
from sla.casebook import Casebook, clock_id
from sla.domain.calendar import Calendar
from sla.domain.clock import Mark
from sla.domain.commands import AdmitLateReport, AnnounceBreach, AnnounceWarning, FactCommand, StartClock, Subject
from sla.domain.decider import CLOCK, is_late
from sla.domain.state import ClockState
from sla.projections.clock import Trail
from sla.projections.incident_facts import IncidentFact, subject_at

ACTOR: Final = "service:sla"
SUBSCRIPTION: Final = "clocks"

_ORDINALS: Final = {"response": 0, "resolution": 2}
"""Each metric has two command ids per incident event: the report itself, and its admission where it is late."""


def reaction(cause: Envelope, metric: str, *, admission: bool = False) -> Metadata:
    """The metadata of a command that an incident event leads to."""
    return Metadata(
        command_id=ids.reactor_command_id(SUBSCRIPTION, cause.id, _ORDINALS[metric] + admission),
        actor=ACTOR,
        organisation=cause.organisation,
        correlation_id=cause.correlationid,
        causation_id=str(cause.id),
        import_id=cause.importid,
        traceparent=cause.traceparent,
    )


async def start(book: Casebook, command: StartClock, cause: Envelope) -> None:
    """Start a clock. Where its past is told late, the event is dated by the clock's last one at the earliest."""
    clock = clock_id(command.subject.incident, command.metric)
    loaded = await book.tx.load(CLOCK, clock)
    if loaded.state.started and not loaded.state.without_target:
        return
    time = _not_before(loaded, command.at)
    await book.tx.execute(CLOCK, clock, command, reaction(cause, command.metric), time=time, loaded=loaded)


async def report(
    book: Casebook,
    metric: str,
    cause: Envelope,
    facts: list[IncidentFact],
    command: Callable[[Subject, Calendar], FactCommand],
) -> None:
    """Tell a clock what happened to its incident, if there is a clock and it was not told before."""
    tx, clock, metadata = book.tx, clock_id(cause.subject, metric), reaction(cause, metric)
    loaded = await tx.load(CLOCK, clock)
    subject = subject_at(cause.subject, facts, cause.time)
    if not loaded.state.started or subject is None or metadata.command_id in loaded.commands:
        return
    calendar = await book.definitions.calendar(loaded.state.calendar, loaded.state.calendar_revision)
    told = command(subject, calendar)
    before = [mark for mark in loaded.state.pending(calendar) if mark.at < told.at]
    for mark in before:
        loaded = await _announce(book, clock, loaded, mark, facts, calendar, cause.importid, provisional=False)
    if is_late(loaded.state, told.at):
        admission = AdmitLateReport(subject=subject, calendar=calendar, at=told.at, cause=told.cause, report=told)
        await tx.execute(CLOCK, clock, admission, reaction(cause, metric, admission=True), time=told.at)
    await tx.execute(CLOCK, clock, told, metadata, time=told.at)


async def announce_due(book: Casebook, clock: str, due: datetime, *, provisional: bool) -> None:
    """A timer came: announce what is pending by then, in order, since a breach silences the warnings before it."""
    loaded = await book.tx.load(CLOCK, clock)
    if not loaded.state.started:
        return
    calendar = await book.definitions.calendar(loaded.state.calendar, loaded.state.calendar_revision)
    facts = book.facts(loaded.state.incident)
    for mark in loaded.state.pending(calendar):
        if mark.at <= due:
            loaded = await _announce(book, clock, loaded, mark, facts, calendar, None, provisional=provisional)


async def _announce(
    book: Casebook,
    clock: str,
    loaded: Loaded[ClockState],
    mark: Mark,
    facts: list[IncidentFact],
    calendar: Calendar,
    import_id: str | None,
    *,
    provisional: bool,
) -> Loaded[ClockState]:
    """`import_id`: of the event before which this is said, if that was imported."""
    subject = subject_at(loaded.state.incident, facts, mark.at)
    if subject is None:
        return loaded
    trail = book.trail(clock)
    about: dict[str, Any] = {
        "subject": subject,
        "calendar": calendar,
        "at": mark.at,
        "cause": str(trail.last_event),
    }
    command = (
        AnnounceBreach(**about, provisional=provisional)
        if mark.percent is None
        else AnnounceWarning(**about, percent=mark.percent)
    )
    metadata = Metadata(
        command_id=_announcement(clock, mark, loaded.state.withdrawals),
        actor=ACTOR,
        correlation_id=trail.correlation,
        causation_id=str(trail.last_event),
        import_id=import_id or (trail.import_id if _over(trail, mark) else None),
    )
    await book.tx.execute(CLOCK, clock, command, metadata, time=_not_before(loaded, mark.at))
    return await book.tx.load(CLOCK, clock)


def _over(trail: Trail, mark: Mark) -> bool:
    """Whether an import brought it in as history; what comes to pass afterwards is news like any other."""
    return trail.imported_at is not None and mark.at <= trail.imported_at


def _announcement(clock: str, mark: Mark, withdrawals: int) -> UUID:
    """One per mark and instant, and a new one after a withdrawal: the same breach may become true again."""
    return ids.derived_id("timer", clock, str(mark.percent), str(mark.target), mark.at.isoformat(), str(withdrawals))


def _not_before(loaded: Loaded[ClockState], at: datetime) -> datetime:
    """The store keeps time from falling; the event's `at` says the instant where two late reports crossed."""
    return at if loaded.time is None else max(at, loaded.time)
