"""Incident events in, clock commands out (subscription `clocks`).

Response runs from the opening to the first start of work, or to the resolution where nobody started. Resolution runs
from the opening to the resolution, and goes on when the incident is reopened. A cancelled incident's clocks count
nowhere. Which hold reasons pause is the agreement's decision. An event of an incident whose opening is unknown is
kept, and starts nothing.

What an import tells moves its clocks by the time of its events alone: timers are set when it is told to its end.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from opsledger_events import Envelope, Event, decode
from opsledger_events.contexts.incident import (
    IncidentCancelled,
    IncidentClosed,
    IncidentHeld,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
)
from opsledger_events.contexts.sla import AgreementDefined, Metric
from opsledger_runtime.store import Transaction
from opsledger_runtime.subscriptions import Subscription
from sla.casebook import Casebook, clock_id
from sla.domain.calendar import TZ_VERSION, Calendar
from sla.domain.clock import Fact, FactKind
from sla.domain.commands import (
    CancelClock,
    ContinueClock,
    FactCommand,
    PauseClock,
    ResumeClock,
    RetargetClock,
    StartClock,
    StopClock,
    Subject,
)
from sla.domain.decider import CLOCK
from sla.domain.selection import Situation
from sla.handlers import SUBSCRIPTION, report, start
from sla.projections.history_imports import COMPLETED, HISTORY_IMPORTS, READS
from sla.projections.incident_facts import INCIDENT_FACTS, IncidentFact, subject_at
from sla.timers import set_timers

METRICS: Final[tuple[Metric, ...]] = ("response", "resolution")
_BOTH: Final = METRICS
_RESOLUTION: Final[tuple[Metric, ...]] = ("resolution",)
_RESPONSE: Final[tuple[Metric, ...]] = ("response",)


async def handle(tx: Transaction, envelopes: Sequence[Envelope]) -> None:
    """Keep what happened, then tell the clocks, one event after the other."""
    for happened, completed in _until_completions(envelopes):
        await HISTORY_IMPORTS.apply(tx.connection, happened)
        if happened:
            book = await Casebook.of_incidents(tx, happened, METRICS)
            for envelope in happened:
                facts = book.facts_until(envelope.subject, envelope.aggregateversion)
                await _react(book, envelope, decode(envelope), facts)
        if completed is not None and completed.importid is not None:
            await tx.flush()
            await HISTORY_IMPORTS.apply(tx.connection, [completed])
            await set_timers(tx.connection, completed.importid, tx.now)


def _until_completions(envelopes: Sequence[Envelope]) -> Iterator[tuple[Sequence[Envelope], Envelope | None]]:
    """What happened up to each completion of an import, with it, and what happened after the last."""
    begin = 0
    for index, envelope in enumerate(envelopes):
        if envelope.type_name == COMPLETED:
            yield envelopes[begin:index], envelope
            begin = index + 1
    yield envelopes[begin:], None


async def _react(book: Casebook, envelope: Envelope, event: Event, facts: list[IncidentFact]) -> None:
    match event:
        case IncidentOpened():
            for metric in METRICS:
                await _start(book, metric, envelope, facts)
        case IncidentPrioritised():
            for metric in METRICS:
                await _prioritise(book, metric, envelope, event.priority, facts)
        case IncidentStarted():
            await _tell(book, _RESPONSE, envelope, facts, StopClock)
        case IncidentHeld():
            await _tell(book, _BOTH, envelope, facts, PauseClock, reason=event.reason)
        case IncidentResumed():
            await _tell(book, _BOTH, envelope, facts, ResumeClock)
        case IncidentResolved() | IncidentClosed():
            await _tell(book, _BOTH, envelope, facts, StopClock)
        case IncidentReopened():
            await _reopen(book, envelope, facts)
        case IncidentCancelled():
            await _tell(book, _BOTH, envelope, facts, CancelClock)


async def _tell(
    book: Casebook,
    metrics: Sequence[Metric],
    envelope: Envelope,
    facts: list[IncidentFact],
    command: Callable[..., FactCommand],
    **details: Any,
) -> None:
    def told(subject: Subject, calendar: Calendar) -> FactCommand:
        return command(subject=subject, calendar=calendar, at=envelope.time, cause=str(envelope.id), **details)

    for metric in metrics:
        await report(book, metric, envelope, facts, told)


async def _prioritise(
    book: Casebook, metric: Metric, envelope: Envelope, priority: int, facts: list[IncidentFact]
) -> None:
    state = (await book.tx.load(CLOCK, clock_id(envelope.subject, metric))).state
    if not state.started or state.without_target:
        await _start(book, metric, envelope, facts)
        return
    agreement = await book.definitions.agreement(state.agreement, state.agreement_revision)
    target = target_of(agreement, priority, metric)
    await _tell(book, (metric,), envelope, facts, RetargetClock, target_seconds=target)


async def _reopen(book: Casebook, envelope: Envelope, facts: list[IncidentFact]) -> None:
    state = (await book.tx.load(CLOCK, clock_id(envelope.subject, "resolution"))).state
    subject = subject_at(envelope.subject, facts, envelope.time)
    if not state.started or state.without_target:
        await _start(book, "resolution", envelope, facts)
    elif subject is not None:
        agreement = await book.definitions.agreement(state.agreement, state.agreement_revision)
        target = target_of(agreement, subject.priority, "resolution")
        await _tell(book, _RESOLUTION, envelope, facts, ContinueClock, target_seconds=target)


async def _start(book: Casebook, metric: Metric, envelope: Envelope, facts: list[IncidentFact]) -> None:
    """Start from the opening, with the target of the priority at the event's time; nothing where none is agreed."""
    opened = next((fact for fact in facts if fact.kind == "Opened"), None)
    subject = subject_at(envelope.subject, facts, envelope.time)
    if opened is None or subject is None:
        return
    situation = Situation("sla", subject.organisation, subject.service, None, None, subject.priority)
    terms = await book.definitions.choose(situation)
    if terms is None:
        return
    agreement = terms.agreement
    target = target_of(agreement, subject.priority, metric)
    earlier = earlier_facts(facts, metric, envelope.time)
    if target is None or _done(earlier):  # it was done when nothing was promised
        return
    command = StartClock(
        subject=subject,
        calendar=terms.calendar,
        at=envelope.time,
        cause=str(envelope.id),
        metric=metric,
        agreement=terms.agreement_id,
        agreement_revision=agreement.revision,
        calendar_id=agreement.calendar,
        calendar_revision=terms.calendar_revision,
        time_zone_database=TZ_VERSION,
        target_seconds=target,
        warning_percent=tuple(agreement.warning_percent),
        pausing_reasons=tuple(agreement.pausing_reasons),
        started_at=opened.at,
        earlier=earlier,
    )
    await start(book, command, envelope)


def target_of(agreement: AgreementDefined, priority: int, metric: Metric) -> int | None:
    """The agreed seconds; None where the agreement says nothing."""
    for target in agreement.targets:
        if target["priority"] == priority:
            seconds = target.get(f"{metric}_seconds")
            return None if seconds is None else int(seconds)
    return None


def earlier_facts(facts: Sequence[IncidentFact], metric: Metric, until: datetime) -> tuple[Fact, ...]:
    """What a clock that starts at `until` has to know of the time since the opening."""
    kinds: dict[str, FactKind] = {"Held": "held", "Resumed": "resumed", "Resolved": "stopped", "Closed": "stopped"}
    kinds |= {"Started": "stopped"} if metric == "response" else {"Reopened": "continued"}
    return tuple(
        Fact(kinds[fact.kind], fact.at, fact.event, n, fact.data.get("reason"))
        for n, fact in enumerate(facts)
        if fact.kind in kinds and fact.at <= until
    )


def _done(earlier: Sequence[Fact]) -> bool:
    ends = [fact.kind for fact in earlier if fact.kind in ("stopped", "continued")]
    return bool(ends) and ends[-1] == "stopped"


CLOCKS_SUBSCRIPTION = Subscription(
    name=SUBSCRIPTION,
    version=1,
    contexts=("incident",),
    reads=READS,
    handle=handle,
    projections=(INCIDENT_FACTS, HISTORY_IMPORTS),
)
