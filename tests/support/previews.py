"""Clocks as the reactor tells them, event by event in memory, beside what a preview makes of the same incidents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from opsledger_events import Envelope, Event
from opsledger_events.contexts.sla import AgreementDefined
from opsledger_runtime import ids
from opsledger_runtime.store import Loaded, Metadata
from sla.casebook import Casebook, Told, clock_of
from sla.domain.calendar import Calendar
from sla.domain.decider import CLOCK
from sla.domain.measures import MEASURES, IncidentFact, Measure, beginnings
from sla.domain.preview import METRICS
from sla.domain.state import ClockState, initial_state
from sla.previewing import happening
from sla.projections.clock import Trail
from sla.projections.definitions import Terms
from sla.projections.incident_facts import READS, fact_of, is_told
from sla.reactors import tell_clocks


@dataclass
class _Memory:
    """What the reactor needs of a transaction: clocks are loaded, told and remembered."""

    connection: Any = None
    appended: tuple[Envelope, ...] = ()
    clocks: dict[str, Loaded[ClockState]] = field(default_factory=dict)

    async def load(self, decider: Any, clock: str) -> Loaded[ClockState]:
        return self.clocks.get(clock, Loaded(CLOCK.initial_state))

    async def execute(
        self, decider: Any, clock: str, command: Any, metadata: Metadata, *, time: datetime, loaded: Any = None
    ) -> None:
        before = await self.load(decider, clock)
        state = before.state
        events = CLOCK.decide(command, state)
        for event in events:
            state = CLOCK.evolve(state, event)
        if events:
            commands = before.commands | {metadata.command_id}
            self.clocks[clock] = Loaded(state, before.version + len(events), time, None, commands)


class _Book(Casebook):
    """One agreement for everybody, and no table."""

    def __init__(self, memory: _Memory, agreement: AgreementDefined, calendar: Calendar) -> None:
        super().__init__(memory, {}, {})  # type: ignore[arg-type]

        async def known(*_: Any) -> Any:
            return agreement

        async def office(*_: Any) -> Any:
            return calendar

        async def chosen(*_: Any) -> Terms:
            return Terms("agreement-1", agreement, 1, calendar)

        async def measured() -> list[Measure]:
            return [measure for measure in MEASURES if measure.kind == agreement.kind]

        self.definitions = SimpleNamespace(  # type: ignore[assignment]
            agreement=known, calendar=office, choose=chosen, measures=measured
        )

    def trail(self, clock: str) -> Trail:
        return Trail("story", UUID(int=0), None, None)


async def clocks_of(told: Sequence[Envelope], agreement: AgreementDefined, calendar: Calendar) -> dict[str, ClockState]:
    """The last clock of each metric of one incident, after the reactor heard its events one after the other."""
    memory = _Memory()
    book = _Book(memory, agreement, calendar)
    facts: list[IncidentFact] = []
    for envelope in filter(is_told, told):
        facts.append(fact_of(envelope))
        facts.sort(key=lambda fact: (fact.at, fact.version))
        if (one := Told.of(envelope, facts)) is not None:
            await tell_clocks(book, one)
    found: dict[str, ClockState] = dict.fromkeys(METRICS, initial_state)
    for metric in METRICS:
        for beginning in beginnings(Measure(agreement.kind, metric), facts):
            clock = (
                await memory.load(CLOCK, clock_of(told[0].subject, Measure(agreement.kind, metric), beginning))
            ).state
            found[metric] = clock if clock.started else found[metric]
    return found


def lived(told: Iterable[Envelope]) -> list[IncidentFact]:
    """The same events as a preview sees them."""
    facts = [fact_of(envelope) for envelope in told if is_told(envelope)]
    return [
        happening(n, fact.kind, fact.at, fact.data.get("priority", fact.data.get("reason", fact.data.get("assignee"))))
        for n, fact in enumerate(facts)
    ]


def envelopes(steps: Sequence[tuple[Event, datetime]], incident: str = "incident-1") -> list[Envelope]:
    """Events of one incident, in the order of their versions."""
    return [
        Envelope(
            id=ids.derived_id("told", incident, str(version)),
            type=f"opsledger.{event.type_name}",
            source="/opsledger/test/incident",
            subject=incident,
            time=at,
            recordedtime=at,
            aggregateversion=version,
            partitionkey=incident,
            correlationid="story",
            actor="person-9",
            data=event.model_dump(mode="json", exclude_none=True),
            organisation="acme",
        )
        for version, (event, at) in enumerate(steps, 1)
    ]


def by_incident(told: Iterable[Envelope]) -> dict[str, list[Envelope]]:
    """What concerns clocks, per incident, in its own order."""
    found: dict[str, list[Envelope]] = {}
    for envelope in told:
        if envelope.type_name in READS:
            found.setdefault(envelope.subject, []).append(envelope)
    return found


def agreement(targets: dict[int, tuple[int | None, int | None]], pausing: Sequence[str] = ()) -> AgreementDefined:
    """An agreement of response and resolution seconds by priority."""
    return AgreementDefined(
        name="Gold",
        calendar="calendar-1",
        targets=[
            {"priority": priority, "response_seconds": response, "resolution_seconds": resolution}
            for priority, (response, resolution) in sorted(targets.items())
        ],
        pausing_reasons=list(pausing),
        warning_percent=[75],
        revision=1,
    )
