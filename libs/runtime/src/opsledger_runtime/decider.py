"""The decider: three names and nothing else (D5)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from opsledger_events import Event

C = TypeVar("C")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S]):
    """A pure aggregate: no clock, no randomness, no I/O. `decide` raises errors of `opsledger_runtime.errors`."""

    decide: Callable[[C, S], Sequence[Event]]
    evolve: Callable[[S, Event], S]
    initial_state: S

    def fold(self, events: Iterable[Event]) -> S:
        """The state after these events."""
        state = self.initial_state
        for event in events:
            state = self.evolve(state, event)
        return state
