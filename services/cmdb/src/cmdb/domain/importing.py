"""An import or a discovery run as an aggregate: it is completed once, with the counts of its lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opsledger_events import Event
from opsledger_events.contexts.cmdb import ConfigurationItemImportCompleted
from opsledger_runtime.decider import Decider


@dataclass(frozen=True, slots=True)
class CompleteImport:
    """Everything has been taken in or refused."""

    told: ConfigurationItemImportCompleted


def _decide(command: CompleteImport, completed: bool) -> Sequence[Event]:
    return [] if completed else [command.told]


def _evolve(completed: bool, event: Event) -> bool:
    return completed or isinstance(event, ConfigurationItemImportCompleted)


IMPORT: Final[Decider[CompleteImport, bool]] = Decider(_decide, _evolve, False)
