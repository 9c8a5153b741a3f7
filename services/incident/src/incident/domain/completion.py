"""An import of histories as a whole: what was told of it, and when that is worth saying again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opsledger_events import Event
from opsledger_events.contexts.incident import HistoryImportCompleted
from opsledger_runtime.decider import Decider


@dataclass(frozen=True, slots=True)
class CompleteImport:
    """It was told to its end: `incidents` with `events` are new, `skipped` ones were recorded before."""

    system: str
    rows: int = 0
    incidents: int = 0
    events: int = 0
    skipped: int = 0
    irregular: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Import:
    """How many incidents a completion has covered at most."""

    incidents: int = 0


def complete_import(command: CompleteImport, state: Import) -> Sequence[Event]:
    """Once for whatever is new, also where it was recorded by a run that did not come to its end."""
    if not command.events and command.incidents + command.skipped <= state.incidents:
        return []
    return [
        HistoryImportCompleted(
            system=command.system,
            rows=command.rows,
            incidents=command.incidents,
            events=command.events,
            skipped=command.skipped,
            irregular=command.irregular,
            damaged=command.damaged,
        )
    ]


def evolve(state: Import, event: Event) -> Import:
    """The state after an event."""
    if isinstance(event, HistoryImportCompleted):
        return Import(max(state.incidents, event.incidents + event.skipped))
    return state


IMPORT: Final = Decider(complete_import, evolve, Import())
