"""A clock's events as a story: the state they lead to, and which event told each of its facts. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import ClockEvent, SLAClockStarted, SLAClockTermsChanged
from sla.domain.clock import Fact
from sla.domain.state import ClockState, evolve, initial_state

LATE: Final = timedelta(minutes=5)
"""What became known longer than this after it happened is said to have become known late."""

E = TypeVar("E", bound=ClockEvent)


@dataclass(frozen=True, slots=True)
class Told:
    """The event behind a line; `cause` is the incident's event that led to it."""

    id: str
    type: str
    happened_at: datetime
    known_at: datetime
    cause: str | None

    @property
    def late(self) -> bool:
        """Whether it became known long after it happened."""
        return self.known_at - self.happened_at > LATE


@dataclass(frozen=True, slots=True)
class Story:
    """`tellers[n]` told `state.facts[n]`; `events` are all of them, in the order in which they became known.

    `by_cause` finds who told what changed the state, by its cause and instant, or by the cause alone.
    """

    state: ClockState
    tellers: tuple[Told, ...]
    events: tuple[tuple[Told, ClockEvent], ...]
    by_cause: Mapping[tuple[str, datetime | None], Told]

    def teller(self, fact: Fact) -> Told | None:
        """Who told a fact of the story."""
        return self.tellers[fact.order] if fact.order < len(self.tellers) else None

    def teller_of(self, event: str, at: datetime) -> Told | None:
        """Who told what an interval began with: a fact that changed the state, caused by `event`, at `at`."""
        return self.by_cause.get((event, at)) or self.by_cause.get((event, None))

    def of(self, kind: type[E]) -> list[tuple[Told, E]]:
        """The events of a kind."""
        return [(told, event) for told, event in self.events if isinstance(event, kind)]


def story_of(envelopes: Iterable[Envelope]) -> Story:
    """The story that a clock's events tell, in order of version."""
    state = initial_state
    tellers: tuple[Told, ...] = ()
    events = []
    for envelope in envelopes:
        event = decode(envelope)
        if not isinstance(event, ClockEvent):
            continue
        happened = event.at or envelope.time
        told = Told(str(envelope.id), envelope.type_name, happened, envelope.recordedtime, event.cause)
        state = evolve(state, event)
        if isinstance(event, SLAClockTermsChanged):
            known = {one.cause: one for one in reversed(tellers)}
            tellers = tuple(known.get(fact.event, told) for fact in state.facts)
        kept = () if isinstance(event, SLAClockStarted) else tellers
        tellers = kept + (told,) * (len(state.facts) - len(kept))
        events.append((told, event))
    by_cause: dict[tuple[str, datetime | None], Told] = {}
    for fact, told in zip(state.facts, tellers, strict=True):
        if fact.kind != "targeted":
            by_cause.setdefault((fact.event, fact.at), told)
            by_cause.setdefault((fact.event, None), told)
    return Story(state, tellers, tuple(events), by_cause)
