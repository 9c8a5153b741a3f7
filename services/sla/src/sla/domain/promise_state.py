"""What a promise remembers: what was said, its facts, and what has been announced. Everything else is computed."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from opsledger_events import Event
from opsledger_events.contexts.sla import (
    PromiseAwaits,
    PromiseBreachWithdrawn,
    PromiseBroken,
    PromiseEvent,
    PromiseKept,
    PromiseMade,
    PromiseMoved,
    PromisePassedOn,
    PromiseReminderReached,
    PromiseSource,
    PromiseWithdrawn,
)
from sla.domain.promise import Fact, Reading, read


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to be announced at `at`, if nothing else happens."""

    kind: Literal["reminder", "break"]
    at: datetime


@dataclass(frozen=True, slots=True)
class PromiseState:
    """`broken_told`: the breach that stands announced; `withdrawals` counts those taken back, so that the same one
    may be announced again.
    """

    incident: str = ""
    text: str = ""
    source: PromiseSource = "desk"
    awaits: PromiseAwaits = "other"
    reason: str | None = None
    promised_by: str = ""
    cause: str | None = None
    due_by_default: bool = False
    facts: tuple[Fact, ...] = ()
    reminded: tuple[datetime, ...] = ()
    reminded_at: datetime | None = None
    broken_told: datetime | None = None
    provisional: bool = False
    withdrawals: int = 0

    @property
    def made(self) -> bool:
        """Whether there is a promise."""
        return bool(self.facts)

    @property
    def latest(self) -> datetime | None:
        """The latest instant that a fact or a standing announcement speaks of."""
        instants = [fact.at for fact in self.facts]
        instants += [one for one in (self.reminded_at, self.broken_told) if one is not None]
        return max(instants, default=None)

    def outlook(self) -> Reading:
        """What it shows if nothing else happens.

        Raises:
            LookupError: there is no promise.
        """
        found = read(self.facts, None)
        if found is None:
            raise LookupError("no promise was made")
        return found

    def pending(self) -> tuple[Mark, ...]:
        """What is still to be announced, those to come included, in order. A settled promise reminds nobody."""
        if not self.made or self.broken_told is not None:
            return ()
        reading = self.outlook()
        found: list[Mark] = []
        if reading.settled_at is None and reading.remind_at is not None and reading.due not in self.reminded:
            found.append(Mark("reminder", reading.remind_at))
        if reading.broken_at is not None:
            found.append(Mark("break", reading.broken_at))
        return tuple(found)


initial_state = PromiseState()


def evolve(state: PromiseState, event: Event) -> PromiseState:
    """The state after an event; events of other aggregates change nothing."""
    if not isinstance(event, PromiseEvent):
        return state
    match event:
        case PromiseMade():
            return PromiseState(
                incident=event.incident,
                text=event.text,
                source=event.source,
                awaits=event.awaits,
                reason=event.reason,
                promised_by=event.promised_by,
                cause=event.cause,
                due_by_default=event.due_by_default,
                facts=(Fact("made", event.at, event.due_at, event.remind_at, event.owner),),
            )
        case PromiseReminderReached():
            return replace(state, reminded=(*state.reminded, event.due_at), reminded_at=event.at)
        case PromiseBroken():
            return replace(state, broken_told=event.at, provisional=event.provisional)
        case PromiseBreachWithdrawn():
            return replace(state, broken_told=None, provisional=False, withdrawals=state.withdrawals + 1)
        case PromiseMoved():
            fact = Fact("moved", event.at, event.due_at, event.remind_at)
        case PromisePassedOn():
            fact = Fact("passed_on", event.at, owner=event.owner)
        case PromiseKept():
            fact = Fact("kept", event.at)
        case PromiseWithdrawn():
            fact = Fact("withdrawn", event.at)
        case _:
            return state
    return replace(state, facts=(*state.facts, fact))
