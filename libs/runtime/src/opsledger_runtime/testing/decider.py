"""Given/when/then for deciders: the same three words at every level of testing.

`given(DECIDER, events).when(command).then(events)`, or `.then_refused(rule)`, or `.then_nothing()`.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from opsledger_events import Event
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import DomainError

C = TypeVar("C")
S = TypeVar("S")


class Outcome(Generic[S]):
    """What a command led to: events, or a refusal."""

    def __init__(self, state: S, events: Sequence[Event], refusal: DomainError | None) -> None:
        self.state = state
        """After the events."""
        self.events = list(events)
        self.refusal = refusal

    def then(self, *expected: Event) -> S:
        """Exactly these events, in this order; gives the state after them."""
        assert self.refusal is None, f"refused by {self.refusal.code}: {self.refusal.message}"
        assert self.events == list(expected)
        return self.state

    def then_nothing(self) -> S:
        """Allowed, and nothing happened."""
        return self.then()

    def then_refused(self, code: str) -> DomainError:
        """Refused by this rule (or error code), with a sentence for people."""
        assert self.refusal is not None, f"not refused, but {self.events}"
        assert self.refusal.code == code, f"refused by {self.refusal.code}, not {code}"
        assert self.refusal.message.endswith("."), "a refusal is a sentence"
        return self.refusal


class Given(Generic[C, S]):
    """A decider with a past."""

    def __init__(self, decider: Decider[C, S], events: Iterable[Event]) -> None:
        self.decider = decider
        self.state = decider.fold(events)

    def when(self, command: C) -> Outcome[S]:
        """Take the decision; nothing is hidden, errors outside the closed set are raised."""
        try:
            events = self.decider.decide(command, self.state)
        except DomainError as refusal:
            return Outcome(self.state, (), refusal)
        state = self.state
        for event in events:
            state = self.decider.evolve(state, event)
        return Outcome(state, events, None)


def given(decider: Decider[C, S], events: Iterable[Event] = ()) -> Given[C, S]:
    """Start with what has happened."""
    return Given(decider, events)
