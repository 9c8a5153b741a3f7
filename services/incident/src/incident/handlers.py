"""Load, decide, append: one function per way in. No HTTP, no rules."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from incident.domain.commands import Command, ContactRequester, HoldIncident, OpenIncident
from incident.domain.decider import DECIDER
from incident.looking_up import look_up
from incident.numbers import Numbers
from incident.projections import incident_queue
from incident.projections.incident_row import IncidentRow, fold, from_record
from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.store import Loaded, Metadata, Transaction

LEEWAY: Final = timedelta(minutes=5)
"""How far a caller's clock may be ahead of ours."""


async def open_incident(
    transaction: Transaction,
    command: OpenIncident,
    metadata: Metadata,
    occurred_at: datetime | None,
    numbers: Numbers,
) -> IncidentRow:
    """Open an incident; `command` gets its number, its item's criticality and the owner of that (R67).

    Its id derives from the command id, so a repeat opens no second.
    """
    time = happened(occurred_at, transaction.now)
    incident = str(ids.derived_id("incident", str(metadata.command_id)))
    command = replace(command, number=await numbers.draw(transaction.connection))
    if (name := command.configuration_item) is not None:
        item = (await look_up(transaction.connection, [name])).item([name], command.organisation)
        if item is not None:
            command = replace(command, owner=item.owner, criticality=item.criticality)
    # Almost never is it there already, and then the store meets a conflict: only after one is it looked for.
    loaded = None if transaction.again else Loaded(DECIDER.initial_state)
    events = await transaction.execute(
        DECIDER, incident, command, metadata, expected_version=0, time=time, loaded=loaded
    )
    return await _row(transaction, IncidentRow(incident), events)


async def act(
    transaction: Transaction,
    id_or_number: str,
    organisations: list[str] | None,
    command: Command,
    metadata: Metadata,
    *,
    expected_version: int | None = None,
    occurred_at: datetime | None = None,
) -> IncidentRow:
    """Ask something of an incident that the caller may know of.

    Raises:
        NotFound: there is none, or not for these organisations.
        Invalid: `occurred_at` is in the future or before the latest event.
        VersionConflict, RuleViolated: as the store and the decider say.
    """
    time = happened(occurred_at, transaction.now)
    if isinstance(command, HoldIncident | ContactRequester):
        command = replace(command, at=time or transaction.now)
    row = from_record(await incident_queue.locate(transaction.connection, id_or_number, organisations))
    events = await transaction.execute(DECIDER, row.id, command, metadata, expected_version=expected_version, time=time)
    return await _row(transaction, row, events)


async def _row(transaction: Transaction, before: IncidentRow, events: list[Envelope]) -> IncidentRow:
    """The row after these events; read where they do not follow it, since somebody else's came in between."""
    if events and events[0].aggregateversion == before.version + 1:
        return fold(before, events)
    await transaction.flush()
    return from_record(await incident_queue.locate(transaction.connection, before.id, None))


def happened(occurred_at: datetime | None, now: datetime) -> datetime | None:
    """When it happened, if not now. A clock a little ahead is taken for now, since a fact cannot be of the future.

    Raises:
        Invalid: more than five minutes ahead.
    """
    if occurred_at is None:
        return None
    if occurred_at > now + LEEWAY:
        raise Invalid(
            "It cannot have happened in the future.",
            [FieldError("/occurred_at", f"Give an instant that is not after {now.isoformat(timespec='seconds')}.")],
            code="in_the_future",
        )
    return min(occurred_at, now)


def as_known(
    incident: str, history: list[Envelope], as_of: datetime | None, known_at: datetime | None
) -> tuple[IncidentRow, list[Envelope]]:
    """The incident as it was at `as_of`, by what was recorded at `known_at`, and the events that say so.

    Raises:
        NotFound: it did not exist then.
    """
    seen = [
        envelope
        for envelope in history
        if (as_of is None or envelope.time <= as_of) and (known_at is None or envelope.recordedtime <= known_at)
    ]
    row = fold(IncidentRow(incident), seen)
    if row.version == 0:
        raise NotFound("There was no such incident then.")
    return row, seen
