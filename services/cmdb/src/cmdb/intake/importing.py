"""One import from its lines to its report, however it was asked for: over HTTP or at the command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from cmdb.domain.importing import IMPORT, CompleteImport
from cmdb.intake.line import Line, Report
from cmdb.intake.planning import Planner
from cmdb.intake.taking import Taking
from cmdb.projections import classes
from cmdb.settings import Rule
from opsledger_events.contexts.cmdb import ConfigurationItemImportCompleted
from opsledger_runtime import ids
from opsledger_runtime.auth import Caller
from opsledger_runtime.store import EventStore, Metadata, Transaction


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of the lines; `complete` records it, in a transaction of the caller's."""

    id: str
    told: ConfigurationItemImportCompleted
    report: Report
    metadata: Metadata

    async def complete(self, tx: Transaction) -> None:
        """Record that the import is over."""
        await tx.execute(IMPORT, self.id, CompleteImport(self.told), self.metadata)


async def take_in(
    store: EventStore,
    source: str,
    lines: Sequence[Line],
    *,
    rules: Sequence[Rule],
    caller: Caller,
    metadata: Metadata,
    dry_run: bool,
    said: Callable[[int], None] = lambda done: None,
) -> Finished:
    """Take in every good line; `said` hears how many lines have been looked at. A dry run changes nothing."""
    own = str(ids.derived_id("item_import", str(metadata.command_id)))
    report = Report()

    def of_line(command_id: UUID) -> Metadata:
        return replace(metadata, command_id=command_id, correlation_id=own)

    planner = Planner(source, rules, caller, await classes.every(store.pool))
    await Taking(planner, metadata.command_id, of_line, report, said, dry_run).take(store, lines)
    told = ConfigurationItemImportCompleted(source=source, received=report.received, **report.counts)
    return Finished(own, told, report, metadata)
