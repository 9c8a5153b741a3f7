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
from opsledger_runtime.store import Loaded, Metadata, Transaction
from sla.domain.calendar import Calendar
from sla.domain.clock import Mark
from sla.domain.commands import AdmitLateReport, AnnounceBreach, AnnounceWarning, FactCommand, StartClock, Subject
from sla.domain.decider import CLOCK, is_late
from sla.domain.state import ClockState
from sla.projections.definitions import calendar_at
from sla.projections.incident_facts import IncidentFact, facts_of, subject_at

ACTOR: Final = "service:sla"
SUBSCRIPTION: Final = "clocks"

_ORDINALS: Final = {"response": 0, "resolution": 2}
"""Each metric has two command ids per incident event: the report itself, and its admission where it is late."""


def clock_id(incident: str, metric: str) -> str:
    """The clock of an incident and a metric."""
    return str(ids.derived_id("clock", incident, metric))


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


async def start(tx: Transaction, command: StartClock, cause: Envelope) -> None:
    """Start a clock. Where its past is told late, the event is dated by the clock's last one at the earliest."""
    loaded = await tx.load(CLOCK, clock_id(command.subject.incident, command.metric))
    if loaded.state.started and not loaded.state.without_target:
        return
    await tx.execute(
        CLOCK,
        clock_id(command.subject.incident, command.metric),
        command,
        reaction(cause, command.metric),
        time=_not_before(loaded, command.at),
    )


async def report(
    tx: Transaction,
    metric: str,
    cause: Envelope,
    facts: list[IncidentFact],
    command: Callable[[Subject, Calendar], FactCommand],
) -> None:
    """Tell a clock what happened to its incident, if there is a clock and it was not told before."""
    clock, metadata = clock_id(cause.subject, metric), reaction(cause, metric)
    loaded = await tx.load(CLOCK, clock)
    subject = subject_at(cause.subject, facts, cause.time)
    if not loaded.state.started or subject is None or metadata.command_id in loaded.commands:
        return
    calendar = await calendar_at(tx.connection, loaded.state.calendar, loaded.state.calendar_revision)
    told = command(subject, calendar)
    before = [mark for mark in loaded.state.pending(calendar) if mark.at < told.at]
    for mark in before:
        loaded = await _announce(tx, clock, loaded, mark, facts, calendar, cause.importid, provisional=False)
    if is_late(loaded.state, told.at):
        admission = AdmitLateReport(subject=subject, calendar=calendar, at=told.at, cause=told.cause, report=told)
        await tx.execute(CLOCK, clock, admission, reaction(cause, metric, admission=True), time=told.at)
    await tx.execute(CLOCK, clock, told, metadata, time=told.at)


async def announce_due(tx: Transaction, clock: str, percent: int | None, due: datetime, *, provisional: bool) -> None:
    """A timer came: announce the warning (`percent`) or breach (None) if it is pending at `due`."""
    loaded = await tx.load(CLOCK, clock)
    if not loaded.state.started:
        return
    calendar = await calendar_at(tx.connection, loaded.state.calendar, loaded.state.calendar_revision)
    facts = await facts_of(tx.connection, loaded.state.incident)
    for mark in loaded.state.pending(calendar):
        if mark.percent == percent and mark.at <= due:
            await _announce(tx, clock, loaded, mark, facts, calendar, None, provisional=provisional)
            return


async def _announce(
    tx: Transaction,
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
    row = await tx.connection.fetchrow(
        "select correlation, last_event, import_id, imported_at from clock where id = $1", clock
    )
    if row is None:
        raise LookupError(f"clock {clock} has events and no row")
    about: dict[str, Any] = {
        "subject": subject,
        "calendar": calendar,
        "at": mark.at,
        "cause": str(row["last_event"]),
    }
    command = (
        AnnounceBreach(**about, provisional=provisional)
        if mark.percent is None
        else AnnounceWarning(**about, percent=mark.percent)
    )
    metadata = Metadata(
        command_id=_announcement(clock, mark, loaded.state.withdrawals),
        actor=ACTOR,
        correlation_id=row["correlation"],
        causation_id=str(row["last_event"]),
        import_id=import_id or (row["import_id"] if _over(row, mark) else None),
    )
    await tx.execute(CLOCK, clock, command, metadata, time=_not_before(loaded, mark.at))
    return await tx.load(CLOCK, clock)


def _over(row: Any, mark: Mark) -> bool:
    """Whether an import brought it in as history; what comes to pass afterwards is news like any other."""
    return row["imported_at"] is not None and mark.at <= row["imported_at"]


def _announcement(clock: str, mark: Mark, withdrawals: int) -> UUID:
    """One per mark and instant, and a new one after a withdrawal: the same breach may become true again."""
    return ids.derived_id("timer", clock, str(mark.percent), str(mark.target), mark.at.isoformat(), str(withdrawals))


def _not_before(loaded: Loaded[ClockState], at: datetime) -> datetime:
    """The store keeps time from falling; the event's `at` says the instant where two late reports crossed."""
    return at if loaded.time is None else max(at, loaded.time)
