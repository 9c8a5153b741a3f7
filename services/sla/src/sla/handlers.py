"""Load a clock, decide, append: how incident events and timers reach the aggregate, in the order they happened.

Before something that happened at T is recorded, warnings and breaches of instants before T are announced, at their
own instants: what a late timer would say is said first. A report from before something announced goes through
`AdmitLateReport`, whose events alone may step back in time.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from opsledger_events import Envelope
from opsledger_events.contexts.sla import Metric
from opsledger_runtime import ids
from opsledger_runtime.store import Loaded, Metadata
from sla.casebook import Casebook, Told, clock_of
from sla.domain.calendar import TZ_VERSION, Calendar
from sla.domain.clock import Fact, Mark
from sla.domain.commands import (
    AdmitLateReport,
    Agreed,
    AnnounceBreach,
    AnnounceWarning,
    ChangeTerms,
    FactCommand,
    RetargetClock,
    StartClock,
    Subject,
)
from sla.domain.decider import CLOCK, is_late
from sla.domain.measures import IncidentFact, Measure, beginnings, clock_facts
from sla.domain.selection import Situation
from sla.domain.state import ClockState
from sla.domain.targets import Target, target_of
from sla.projections.clock import Trail
from sla.projections.definitions import Terms as AgreedTerms
from sla.projections.incident_facts import subject_at

ACTOR: Final = "service:sla"
SUBSCRIPTION: Final = "clocks"


def reaction(cause: Envelope, clock: str, purpose: str = "") -> Metadata:
    """The metadata of what an incident event leads to for a clock: the report of it, or its admission if late, …"""
    return Metadata(
        command_id=ids.derived_id("reaction", SUBSCRIPTION, str(cause.id), clock, purpose),
        actor=ACTOR,
        organisation=cause.organisation,
        correlation_id=cause.correlationid,
        causation_id=str(cause.id),
        import_id=cause.importid,
        traceparent=cause.traceparent,
    )


def agreed_of(terms: AgreedTerms) -> Agreed:
    """What a clock is computed with where these terms are its own from now on."""
    agreement = terms.agreement
    return Agreed(
        agreement=terms.agreement_id,
        agreement_revision=agreement.revision,
        calendar=agreement.calendar,
        calendar_revision=terms.calendar_revision,
        time_zone_database=TZ_VERSION,
        warning_percent=tuple(agreement.warning_percent),
        pausing_reasons=tuple(agreement.pausing_reasons),
        retarget=agreement.retarget,
        reopen=agreement.reopen,
        chosen_by=terms.chosen_by,
    )


def situation_of(state: Measure, party: str | None, subject: Subject, facts: Sequence[IncidentFact]) -> Situation:
    """What an incident is when an agreement is looked for."""
    opened: Mapping[str, Any] = next((fact.data for fact in facts if fact.kind == "Opened"), {})
    category, criticality = opened.get("category"), opened.get("criticality")
    return Situation(state.kind, subject.organisation, subject.service, category, criticality, subject.priority, party)


async def start(book: Casebook, clock: str, command: StartClock, cause: Envelope) -> None:
    """Start a clock. Where its past is told late, the event is dated by the clock's last one at the earliest."""
    loaded = await book.load(command.subject.incident, clock)
    if loaded.state.started and not loaded.state.without_target:
        return
    time = _not_before(loaded, command.at)
    await book.tx.execute(CLOCK, clock, command, reaction(cause, clock), time=time, loaded=loaded)
    book.begun(clock)


async def report(book: Casebook, clock: str, told: Told, command: Callable[[Calendar], FactCommand]) -> None:
    """Tell a clock what happened to its incident, if there is a clock and it was not told before."""
    tx, cause = book.tx, told.envelope
    loaded = await book.load(told.subject.incident, clock)
    if not loaded.state.started:
        return
    metadata = reaction(cause, clock)
    if metadata.command_id in loaded.commands:
        return
    calendar = await book.definitions.calendar(loaded.state.calendar, loaded.state.calendar_revision)
    said = command(calendar)
    for mark in [mark for mark in loaded.state.pending(calendar) if mark.at < said.at]:
        await _announce(book, clock, mark, told.facts, calendar, cause.importid, provisional=False)
    loaded = await tx.load(CLOCK, clock)
    if is_late(loaded.state, said.at) or _not_before(loaded, said.at) != said.at:
        admission = AdmitLateReport(subject=said.subject, calendar=calendar, at=said.at, cause=said.cause, report=said)
        await tx.execute(CLOCK, clock, admission, reaction(cause, clock, "admission"), time=said.at)
    await tx.execute(CLOCK, clock, said, metadata, time=said.at)


def facts_by(clock: str, state: ClockState, facts: Sequence[IncidentFact], terms: AgreedTerms | None) -> Sequence[Fact]:
    """What a clock is told of its incident by other terms; empty where they promise nothing for it any more."""
    measure = Measure(state.kind, cast(Metric, state.metric))
    begun = (one for one in beginnings(measure, facts) if clock_of(state.incident, measure, one) == clock)
    if terms is None or (beginning := next(begun, None)) is None:
        return ()
    agreement = terms.agreement

    def promised(priority: int) -> Target | None:
        return target_of(agreement, priority, measure.metric)

    # A clock that a reopening continued goes on, whatever a reopening is to mean from now on.
    went_on = any(fact.kind == "continued" for fact in state.facts)
    told = clock_facts(measure, beginning, facts, promised, "continue" if went_on else agreement.reopen)
    return told if told and told[-1].kind != "cancelled" else ()


async def change_terms(
    book: Casebook,
    clock: str,
    terms: AgreedTerms | None,
    facts: Sequence[IncidentFact],
    cause: str,
    at: datetime,
    by: Metadata,
) -> None:
    """Judge a running clock by other terms, as if from its beginning; without a target by them it counts nowhere.

    `facts` is what is known of its incident; `cause` the id of the event that says so.
    """
    tx = book.tx
    loaded = await tx.load(CLOCK, clock)
    state, known = loaded.state, list(facts)
    calendar = await book.definitions.calendar(state.calendar, state.calendar_revision)
    for mark in [mark for mark in state.pending(calendar) if mark.at < at]:
        await _announce(book, clock, mark, known, calendar, by.import_id, provisional=False)
    loaded = await tx.load(CLOCK, clock)
    now = max(at, loaded.state.latest)
    subject = subject_at(state.incident, known, now)
    if subject is None or by.command_id in loaded.commands:
        return
    about: dict[str, Any] = {"subject": subject, "at": now, "cause": cause}
    told = facts_by(clock, state, known, terms)
    command: ChangeTerms | RetargetClock = RetargetClock(**about, calendar=calendar, target=None)
    if terms is not None and told:
        command = ChangeTerms(
            **about, calendar=terms.calendar, previous=calendar, agreed=agreed_of(terms), facts=tuple(told)
        )
    await tx.execute(CLOCK, clock, command, by, time=_not_before(loaded, now))


async def announce_due(book: Casebook, clock: str, due: datetime, *, provisional: bool) -> None:
    """A timer came: announce what is pending by then, in order, since a breach silences the warnings before it."""
    loaded = await book.tx.load(CLOCK, clock)
    if not loaded.state.started:
        return
    calendar = await book.definitions.calendar(loaded.state.calendar, loaded.state.calendar_revision)
    facts = book.facts(loaded.state.incident)
    for mark in loaded.state.pending(calendar):
        if mark.at <= due:
            await _announce(book, clock, mark, facts, calendar, None, provisional=provisional)


async def _announce(
    book: Casebook,
    clock: str,
    mark: Mark,
    facts: list[IncidentFact],
    calendar: Calendar,
    import_id: str | None,
    *,
    provisional: bool,
) -> None:
    """`import_id`: of the event before which this is said, if that was imported."""
    loaded = await book.tx.load(CLOCK, clock)
    subject = subject_at(loaded.state.incident, facts, mark.at)
    if subject is None:
        return
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
    await book.tx.execute(CLOCK, clock, command, metadata, time=_not_before(loaded, mark.at), loaded=loaded)


def _over(trail: Trail, mark: Mark) -> bool:
    """Whether an import brought it in as history; what comes to pass afterwards is news like any other."""
    return trail.imported_at is not None and mark.at <= trail.imported_at


def _announcement(clock: str, mark: Mark, withdrawals: int) -> UUID:
    """One per mark and instant, and a new one after a withdrawal: the same breach may become true again."""
    return ids.derived_id("timer", clock, str(mark.percent), str(mark.target), mark.at.isoformat(), str(withdrawals))


def _not_before(loaded: Loaded[ClockState], at: datetime) -> datetime:
    """The store keeps time from falling; the event's `at` says the instant where two late reports crossed."""
    return at if loaded.time is None else max(at, loaded.time)
