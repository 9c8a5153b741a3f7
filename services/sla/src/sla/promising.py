"""Load a promise, decide, append: how people, incident events and timers reach it.

Before something that happened at T is recorded, a breach of an instant before T is announced, at its own instant: what
a late timer would say is said first. Reminders of the past help nobody and are not.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from opsledger_runtime import ids
from opsledger_runtime.errors import Invalid
from opsledger_runtime.store import Loaded, Metadata, Transaction
from sla.domain.calendar import Calendar, add, elapsed
from sla.domain.commands import Subject
from sla.domain.promise_commands import AnnounceBreak, AnnounceReminder, Command, MakePromise
from sla.domain.promise_decider import LONGEST, PROMISE
from sla.domain.promise_state import Mark, PromiseState
from sla.handlers import ACTOR
from sla.projections.definitions import latest_calendar


async def calendar_for(connection: Any, calendar: str) -> tuple[int, Calendar]:
    """The calendar by which a promise is due, as it stands, and its revision.

    Raises:
        Invalid: there is none.
    """
    found = await latest_calendar(connection, calendar)
    if found is None:
        raise Invalid("There is no such calendar. Define it first or name another.", code="no_such_calendar")
    return found


def reminder(calendar: Calendar, at: datetime, due: datetime, percent: int) -> datetime | None:
    """When `percent` of the working time until it is due has passed; of all time where that is none."""
    if not at < due <= at + LONGEST:
        return None
    working = elapsed(calendar, at, due)
    found = add(calendar, at, working * percent / 100) if working > timedelta(0) else at + (due - at) * percent / 100
    return found if at <= found < due else at + (due - at) * percent / 100


async def make(tx: Transaction, promise: str, command: MakePromise, metadata: Metadata) -> None:
    """Record a promise, if it was not recorded before."""
    loaded = await tx.load(PROMISE, promise)
    if not loaded.state.made:
        await tx.execute(PROMISE, promise, command, metadata, time=command.at, loaded=loaded)


async def tell(
    tx: Transaction, promise: str, command: Command, metadata: Metadata, *, expected_version: int | None = None
) -> None:
    """Tell a promise what happened, after a breach that came before it.

    Raises:
        VersionConflict, DomainError: as the store and the decider say.
    """
    loaded = await tx.load(PROMISE, promise)
    if metadata.command_id in loaded.commands:
        return
    for mark in loaded.state.pending() if expected_version in (None, loaded.version) else ():
        if mark.kind == "break" and mark.at < command.at:
            await announce(
                tx,
                promise,
                mark,
                command.subject,
                metadata.correlation_id,
                causation=metadata.causation_id,
                import_id=metadata.import_id,
            )
            expected_version = None if expected_version is None else expected_version + 1
    loaded = await tx.load(PROMISE, promise)
    time = _not_before(loaded, command.at)
    await tx.execute(PROMISE, promise, command, metadata, expected_version=expected_version, time=time)


async def announce_due(
    tx: Transaction, promise: str, row: Mapping[str, Any], subject: Subject, due: datetime, *, provisional: bool
) -> None:
    """A timer came: announce what is pending by then, in order."""
    loaded = await tx.load(PROMISE, promise)
    for mark in loaded.state.pending():
        if mark.at <= due:
            causation = str(row["last_event"])
            await announce(tx, promise, mark, subject, row["correlation"], causation=causation, provisional=provisional)


async def announce(
    tx: Transaction,
    promise: str,
    mark: Mark,
    subject: Subject,
    correlation: str | None,
    *,
    causation: str | None,
    import_id: str | None = None,
    provisional: bool = False,
) -> None:
    """Say at its instant what has come to pass."""
    loaded = await tx.load(PROMISE, promise)
    about: dict[str, Any] = {"subject": subject, "at": mark.at, "cause": loaded.state.cause}
    command = AnnounceReminder(**about) if mark.kind == "reminder" else AnnounceBreak(**about, provisional=provisional)
    metadata = Metadata(
        command_id=_announcement(promise, mark, loaded.state),
        actor=ACTOR,
        correlation_id=correlation,
        causation_id=causation,
        import_id=import_id,
    )
    await tx.execute(PROMISE, promise, command, metadata, time=_not_before(loaded, mark.at))


def _announcement(promise: str, mark: Mark, state: PromiseState) -> UUID:
    """One per mark and instant, and a new one after a withdrawal: the same breach may become true again."""
    return ids.derived_id("promise timer", promise, mark.kind, mark.at.isoformat(), str(state.withdrawals))


def _not_before(loaded: Loaded[PromiseState], at: datetime) -> datetime:
    """The store keeps time from falling; the event's `at` says when it was, by which the promise is judged."""
    return at if loaded.time is None else max(at, loaded.time)
