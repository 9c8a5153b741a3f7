"""Incident events in, clock commands out, and what they mean to promises (subscription `clocks`).

What begins and ends a clock is said in `domain/measures.py`; which hold reasons pause it, what another priority and a
reopening mean is the agreement's decision. A clock keeps the agreement, and the revision of it, that it began with;
only where a change of priority takes the incident out of what that agreement is for, or into what another names its
priority for, another one judges it. An event of
an incident whose opening is unknown is kept, and starts nothing.

What an import tells moves its clocks by the time of its events alone: timers are set when it is told to its end.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_runtime.store import Transaction
from opsledger_runtime.subscriptions import Subscription
from sla.casebook import Casebook, Told, clock_of
from sla.domain.calendar import Calendar
from sla.domain.clock import FactKind
from sla.domain.commands import (
    CancelClock,
    ContinueClock,
    FactCommand,
    PauseClock,
    ResumeClock,
    RetargetClock,
    StartClock,
    StopClock,
)
from sla.domain.measures import (
    Beginning,
    IncidentFact,
    Measure,
    before,
    beginnings,
    concerns,
    earlier_facts,
    is_done,
    meaning,
)
from sla.domain.selection import is_for
from sla.domain.state import ClockState
from sla.domain.targets import target_of
from sla.handlers import SUBSCRIPTION, agreed_of, change_terms, reaction, report, situation_of, start
from sla.projections.definitions import Terms
from sla.projections.history_imports import COMPLETED, HISTORY_IMPORTS, READS
from sla.projections.incident_facts import INCIDENT_FACTS, is_told
from sla.promise_reactors import Promised
from sla.timers import set_timers


async def handle(tx: Transaction, envelopes: Sequence[Envelope]) -> None:
    """Keep what happened, then tell clocks and promises, one event after the other."""
    for told, completed in _until_completions(envelopes):
        await HISTORY_IMPORTS.apply(tx.connection, told)
        happened = [envelope for envelope in told if is_told(envelope)]
        if happened:
            promised = await Promised.of(tx, happened)
            book = await Casebook.of_incidents(tx, happened, promised.incidents)
            for envelope in happened:
                if (one := book.told(envelope)) is not None:
                    await tell_clocks(book, one)
                    await promised.hear(envelope, one.subject)
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


async def tell_clocks(book: Casebook, told: Told) -> None:
    """Tell the clocks of every measure what happened."""
    for measure in await book.definitions.measures():
        if concerns(measure, told.fact):
            await _follow(book, measure, told)


async def _follow(book: Casebook, measure: Measure, told: Told) -> None:
    begun = beginnings(measure, told.facts)
    incident, fact = told.subject.incident, told.fact
    if fact.kind == "Cancelled":
        for one in begun:
            await report(book, clock_of(incident, measure, one), told, partial(_command, CancelClock, told, {}))
        return
    new = next((one for one in begun if one.fact is fact), None)
    current, again = await _current(book, measure, incident, begun, fact)
    kind = None if current is None else meaning(measure, current.party, fact)
    if current is not None and kind is not None:
        state = (await book.load(incident, clock_of(incident, measure, current))).state
        again = new if kind == "continued" else again
        gone_on = again is not None and any(one.event == again.fact.event for one in state.facts)
        other = again is not None and again.party != current.party
        anew = again is not None and not gone_on and (other or state.reopen == "new_clock" or not state.started)
        if state.started and not state.without_target and not anew:
            await _tell(book, measure, current, state, kind, told)
        elif kind in ("targeted", "continued"):
            if again is not None and anew and (other or state.started):
                current, again = again, None
            await _start(book, measure, current, again, told)
    if new is not None and kind != "continued":
        await _start(book, measure, new, None, told)


async def _current(
    book: Casebook, measure: Measure, incident: str, begun: Sequence[Beginning], fact: IncidentFact
) -> tuple[Beginning | None, Beginning | None]:
    """Whose clock an event concerns: the last that began before it; and the reopening since, which began none."""
    again: Beginning | None = None
    for one in reversed(begun):
        if not before(one.fact, fact):
            continue
        if one.fact.kind != "Reopened" or measure.metric == "update":
            return one, again
        if (await book.load(incident, clock_of(incident, measure, one))).state.started:
            return one, again
        again = again or one
    return None, again


_COMMANDS: Final[dict[FactKind, Callable[..., FactCommand]]] = {
    "resumed": ResumeClock,
    "stopped": StopClock,
}


async def _tell(
    book: Casebook, measure: Measure, current: Beginning, state: ClockState, kind: FactKind, told: Told
) -> None:
    """Tell a clock that has a target. What a change of priority means is its agreement's, or that of another one."""
    clock, envelope = clock_of(told.subject.incident, measure, current), told.envelope
    details: dict[str, Any] = {}
    command = _COMMANDS.get(kind)
    moved: Terms | None = None
    if kind == "held":
        command, details = PauseClock, {"reason": told.fact.data.get("reason")}
    elif kind in ("targeted", "continued"):
        command = RetargetClock if kind == "targeted" else ContinueClock
        agreement = await book.definitions.agreement(state.agreement, state.agreement_revision)
        situation = situation_of(measure, current.party, told.subject, told.facts)
        target = target_of(agreement, told.subject.priority, measure.metric)
        chosen = await book.definitions.choose(situation)
        told_apart = chosen is not None and "priorities" in chosen.chosen_by
        if not is_for(agreement, situation) or (told_apart and chosen and chosen.agreement_id != state.agreement):
            moved, target = chosen, None if chosen is None else state.agreed
        details = {"target": target}
    if command is None:
        return
    if moved is None or kind == "continued":
        await report(book, clock, told, partial(_command, command, told, details))
    if moved is not None:
        by = reaction(envelope, clock, "terms")
        await change_terms(book, clock, moved, told.facts, str(envelope.id), envelope.time, by)


def _command(
    command: Callable[..., FactCommand], told: Told, details: Mapping[str, Any], calendar: Calendar
) -> FactCommand:
    return command(subject=told.subject, calendar=calendar, at=told.envelope.time, cause=told.fact.event, **details)


async def _start(book: Casebook, measure: Measure, beginning: Beginning, again: Beginning | None, told: Told) -> None:
    """Start from the beginning, with the target of the priority at the event's time; nothing where none is agreed.

    Where the agreement wants a new clock, from `again`, the reopening since.
    """
    subject, facts = told.subject, told.facts
    terms = await book.definitions.choose(situation_of(measure, beginning.party, subject, facts))
    if terms is None:
        return
    if again is not None and terms.agreement.reopen == "new_clock":
        beginning = again
    target = target_of(terms.agreement, subject.priority, measure.metric)
    earlier = earlier_facts(measure, beginning, facts, terms.agreement.reopen)
    if target is None or (beginning.fact.event != told.fact.event and is_done(earlier)):
        return
    command = StartClock(
        subject=subject,
        calendar=terms.calendar,
        at=told.envelope.time,
        cause=told.fact.event,
        metric=measure.metric,
        kind=measure.kind,
        party=beginning.party,
        agreed=agreed_of(terms),
        target=target,
        started_at=beginning.fact.at,
        earlier=earlier,
    )
    await start(book, clock_of(subject.incident, measure, beginning), command, told.envelope)


CLOCKS_SUBSCRIPTION = Subscription(
    name=SUBSCRIPTION,
    version=1,
    contexts=("incident",),
    reads=READS,
    handle=handle,
    projections=(INCIDENT_FACTS, HISTORY_IMPORTS),
)
