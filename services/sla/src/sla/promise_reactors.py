"""Incident events in, promises made, kept and given up: the part of promises in the subscription `clocks`.

A hold with a date (R13) and every promise that the words of a public note contain (R18) are recorded. A promise to
speak again is kept by the next public note or contact, whoever of the desk it is; one to come back by the work going
on or being done; one to be done by the resolution. A cancelled incident owes nothing. What is promised otherwise is
kept by hand. What an import tells of the past makes no promise.

Events that could settle a promise cost a batch one look at those that there are; all others cost nothing.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from opsledger_events import Envelope, Event, decode
from opsledger_events.contexts.incident import (
    IncidentCancelled,
    IncidentClosed,
    IncidentHeld,
    IncidentNoted,
    IncidentRequesterContacted,
    IncidentResolved,
    IncidentResumed,
)
from opsledger_events.contexts.sla import PromiseAwaits, PromiseSource
from opsledger_events.names import is_opaque_id
from opsledger_runtime import ids
from opsledger_runtime.store import Metadata, Transaction
from sla.domain.calendar import Calendar, add
from sla.domain.commands import Subject
from sla.domain.promise_commands import Command, KeepPromise, MakePromise, WithdrawPromise
from sla.domain.promise_decider import LONGEST, PROMISE
from sla.domain.promise_dues import instant_of
from sla.domain.promise_wordings import Wording, wordings_in
from sla.handlers import ACTOR
from sla.projections.promises import unsettled_of
from sla.promising import calendar_for, make, reminder, tell
from sla.settings import PromiseSettings

_KEPT_BY: Final[dict[type[Event], frozenset[PromiseAwaits]]] = {
    IncidentNoted: frozenset({"reply"}),
    IncidentRequesterContacted: frozenset({"reply"}),
    IncidentResumed: frozenset({"return"}),
    IncidentResolved: frozenset({"return", "completion"}),
    IncidentClosed: frozenset({"return", "completion"}),
}
_SETTLING: Final = frozenset({*(cls.type_name for cls in _KEPT_BY), IncidentCancelled.type_name})
_CONCERNING: Final = _SETTLING | {IncidentHeld.type_name}

EXPLANATION: Final = "incident_cancelled"
"""Why a cancelled incident's promises are given up."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A promise that an event contains; `key` names it among those of the event."""

    key: str
    source: PromiseSource
    awaits: PromiseAwaits
    text: str
    due: datetime | None = None
    wording: Wording | None = None
    reason: str | None = None


class Promised:
    """What a batch of incident events has to do with promises: what it may settle, and what it promises.

    `incidents`: those that are concerned.
    """

    def __init__(
        self, tx: Transaction, given: Mapping[UUID, Sequence[_Given]], standing: dict[str, list[str]], also: set[str]
    ) -> None:
        self._tx = tx
        self._given = given
        self._standing = standing
        self.incidents = also | standing.keys()

    @classmethod
    async def of(cls, tx: Transaction, envelopes: Sequence[Envelope]) -> "Promised":
        """One look at the promises of those incidents where something may settle one; none where nothing may."""
        given: dict[UUID, list[_Given]] = {}
        since: dict[str, datetime] = {}
        for envelope in envelopes:
            if envelope.type_name not in _CONCERNING:
                continue
            if found := list(_given(envelope)):
                given[envelope.id] = found
            if _settles(envelope):
                since[envelope.subject] = min(envelope.time, since.get(envelope.subject, envelope.time))
        standing: dict[str, list[str]] = {}
        for promise, incident in await unsettled_of(tx.connection, since) if since else ():
            standing.setdefault(incident, []).append(promise)
        if standing:
            await tx.load_many(PROMISE, [promise for found in standing.values() for promise in found])
        return cls(tx, given, standing, {one.subject for one in envelopes if one.id in given} if given else set())

    async def hear(self, envelope: Envelope, subject: Subject) -> None:
        """Settle what stands, then record what is promised."""
        if envelope.subject not in self.incidents:
            return
        for promise in self._standing.get(envelope.subject, ()) if _settles(envelope) else ():
            await _settle(self._tx, promise, envelope, subject)
        if envelope.actor != subject.requester:
            for one in self._given.get(envelope.id, ()):
                self._standing.setdefault(envelope.subject, []).append(await _make(self._tx, envelope, subject, one))


def _settles(envelope: Envelope) -> bool:
    """Whether the event may settle something; internal notes, which are most of them, do not."""
    if envelope.type_name == IncidentNoted.type_name:
        return bool(envelope.data.get("public"))
    return envelope.type_name in _SETTLING


def _given(envelope: Envelope) -> Iterator[_Given]:
    if envelope.importid is not None:
        return
    if envelope.type_name == IncidentNoted.type_name and envelope.data.get("public"):
        for wording in wordings_in(str(envelope.data.get("text", ""))):
            yield _Given(wording.awaits, "wording", wording.awaits, wording.text, wording=wording)
    elif envelope.type_name == IncidentHeld.type_name and envelope.data.get("promised_at") is not None:
        held = decode(envelope)
        due = held.promised_at if isinstance(held, IncidentHeld) else None
        if isinstance(held, IncidentHeld) and due is not None and envelope.time < due <= envelope.time + LONGEST:
            yield _Given("return", "hold", "return", held.promised or "", due, reason=held.reason)


async def _settle(tx: Transaction, promise: str, envelope: Envelope, subject: Subject) -> None:
    state = (await tx.load(PROMISE, promise)).state
    if state.cause == str(envelope.id):  # read again: what makes a promise does not keep it
        return
    about: dict[str, Any] = {"subject": subject, "at": envelope.time, "cause": str(envelope.id)}
    event = decode(envelope)
    command: Command
    if isinstance(event, IncidentCancelled):
        command = WithdrawPromise(**about, explanation=EXPLANATION)
    elif state.awaits in _KEPT_BY[type(event)] and not _of_the_requester(envelope, event, subject):
        command = KeepPromise(**about)
    else:
        return
    await tell(tx, promise, command, _metadata(ids.derived_id("promise told", promise, str(envelope.id)), envelope))


def _of_the_requester(envelope: Envelope, event: Event, subject: Subject) -> bool:
    """Whether it is the requester's own word, which is no answer to them."""
    return isinstance(event, IncidentNoted) and envelope.actor == subject.requester


async def _make(tx: Transaction, envelope: Envelope, subject: Subject, given: _Given) -> str:
    settings = PromiseSettings.read(os.environ)
    revision, calendar = await calendar_for(tx.connection, settings.calendar)
    at = envelope.time
    due = given.due if given.wording is None else _said(given.wording, calendar, at)
    by_default = due is None
    if due is None:
        due = add(calendar, at, settings.usual(given.awaits))
    counted = given.wording is not None
    command = MakePromise(
        subject=subject,
        at=at,
        cause=str(envelope.id),
        text=given.text,
        due=due,
        remind=reminder(calendar, at, due, settings.remind_percent),
        source=given.source,
        awaits=given.awaits,
        owner=_owner(envelope, subject, given),
        reason=given.reason,
        promised_by=envelope.actor,
        due_by_default=by_default,
        calendar=settings.calendar if counted else None,
        calendar_revision=revision if counted else None,
    )
    promise = promise_id(envelope.id, given.key)
    await make(tx, promise, command, _metadata(ids.reactor_command_id(promise, envelope.id, 0), envelope))
    return promise


def _said(wording: Wording, calendar: Calendar, at: datetime) -> datetime | None:
    due = None if wording.said is None else instant_of(wording.said, calendar, at)
    return due if due is not None and due - at <= LONGEST else None


def _owner(envelope: Envelope, subject: Subject, given: _Given) -> str | None:
    """Of a hold, who works on it; of a note, its author, where that is a person."""
    if given.source == "hold" or not is_opaque_id(envelope.actor):
        return subject.assignee
    return envelope.actor


def promise_id(event: UUID, key: str) -> str:
    """The promise of that kind that an event contains."""
    return str(ids.derived_id("promise", str(event), key))


def _metadata(command_id: UUID, cause: Envelope) -> Metadata:
    return Metadata(
        command_id=command_id,
        actor=ACTOR,
        organisation=cause.organisation,
        correlation_id=cause.correlationid,
        causation_id=str(cause.id),
        import_id=cause.importid,
        traceparent=cause.traceparent,
    )
