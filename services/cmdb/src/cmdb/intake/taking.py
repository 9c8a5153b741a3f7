"""Lines into the register, by the batch: a transaction for each 500 lines, with a few statements each.

First every item, then the relations between them, so that a line may name one that comes later. A dry run does the same
in one transaction and takes all of it back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from uuid import UUID

from cmdb import finding, handlers, relating
from cmdb.domain.commands import ItemCommand, RetireItem
from cmdb.domain.decider import ITEM
from cmdb.domain.facts import Identified, name_of
from cmdb.domain.relations import RELATION
from cmdb.domain.state import Item
from cmdb.intake.line import Line, Outcome, Report, Trouble
from cmdb.intake.planning import CSV, Plan, Planner
from cmdb.projections.item_row import ItemRow, fold
from cmdb.relating import Edge, Standing
from opsledger_runtime import ids
from opsledger_runtime.errors import DomainError, NotFound, VersionConflict
from opsledger_runtime.store import EventStore, Loaded, Metadata, Transaction

T = TypeVar("T")
BATCH: Final = 500


class _Undone(Exception):
    """A dry run is over."""


@dataclass(slots=True)
class Taking:
    """One import. `metadata` of a line's command by its id; `said` hears how many lines have been looked at."""

    planner: Planner
    command_id: UUID
    metadata: Callable[[UUID], Metadata]
    report: Report
    said: Callable[[int], None]
    dry_run: bool

    async def take(self, store: EventStore, lines: Sequence[Line]) -> None:
        """Take the lines in and report on each."""
        self.report.received = len(lines)
        if self.dry_run:
            try:
                async with store.transaction() as tx:
                    await self._all(lines, lambda work: work(tx))
                    raise _Undone
            except _Undone:
                return
        else:
            await self._all(lines, lambda work: store.run(work, retry=False))

    async def _all(self, lines: Sequence[Line], run: Callable[[Any], Any]) -> None:
        taken: dict[int, tuple[Line, str]] = {}
        outcomes: dict[int, Outcome] = {}
        done = 0
        for batch in _batches(lines, BATCH):

            async def items(tx: Transaction, batch: Sequence[Line] = batch) -> None:
                await self._items(tx, batch, taken, outcomes)

            await run(items)
            done += len(batch)
            self.said(done)
        for some in _batches([pair for pair in taken.values() if pair[0].relations], BATCH):

            async def relations(tx: Transaction, some: Sequence[tuple[Line, str]] = some) -> None:
                await self._relations(tx, some, outcomes)

            await run(relations)
        for outcome in outcomes.values():
            self.report.counts[outcome] += 1
        self.report.troubles.sort(key=lambda one: one.line)

    async def _items(
        self,
        tx: Transaction,
        batch: Sequence[Line],
        taken: dict[int, tuple[Line, str]],
        outcomes: dict[int, Outcome],
    ) -> None:
        await self._alone(tx)
        planner = self.planner
        names = await finding.by_name(tx.connection, (name_of(line.key) for line in batch if line.key is not None))
        await planner.known.read(tx.connection, (one for line in batch for one in line.identifiers))
        plans = []
        for line in batch:
            if line.refusal is not None:
                self.report.refuse(line, line.refusal)
                continue
            try:
                plan = planner.plan(line, names, self._item(line))
            except VersionConflict:
                raise
            except DomainError as refusal:
                self.report.refuse(line, refusal)
                continue
            plans.append(plan)
            planner.known.add(ItemRow(self._item(line), 1, plan.facts) if plan.row is None else plan.row)
        changing = [plan.row.id for plan in plans if plan.row is not None and plan.commands]
        await tx.load_many(ITEM, changing)
        for plan in plans:
            row = await self._carry_out(tx, plan)
            planner.known.add(row)
            if row.live:
                taken[plan.line.number] = plan.line, row.id
            outcomes[plan.line.number] = (
                "registered" if plan.row is None else "changed" if plan.commands else "unchanged"
            )
        await tx.flush()

    async def _carry_out(self, tx: Transaction, plan: Plan) -> ItemRow:
        row = plan.row or ItemRow(self._item(plan.line))
        metadata = replace(self.metadata(self._command(plan.line, "item")), organisation=plan.facts.organisation)
        new: Loaded[Item] | None = Loaded(ITEM.initial_state) if plan.row is None else None
        for command in plan.commands:
            row = fold(row, await tx.execute(ITEM, row.id, command, metadata, loaded=new))
            if _ends(command):
                await relating.end_all(tx, row.id, "retired", metadata)
        return row

    async def _relations(self, tx: Transaction, some: Sequence[tuple[Line, str]], outcomes: dict[int, Outcome]) -> None:
        await self._alone(tx)
        targets = await self._targets(tx, {target for line, _ in some for _, target in line.relations})
        rows = await finding.by_id(tx.connection, [item for _, item in some])
        wanted: list[tuple[Line, Edge]] = []
        for line, item in some:
            for kind, target in line.relations:
                row = targets.get(target)
                if row is None or not self.planner.caller.sees(row.facts.organisation):
                    told = f"`{kind}`: there is no item “{target[:100]}”. Register it, or correct the name."
                    self._refused(line, NotFound(told, code="no_such_target"))
                else:
                    rows[row.id] = row
                    wanted.append((line, Edge(kind, item, row.id)))
        standing = await Standing.around(tx.connection, [edge for _, edge in wanted])
        await tx.load_many(RELATION, [edge.id for _, edge in wanted if not standing.stands(edge)])
        for line, edge in wanted:
            metadata = self.metadata(self._command(line, "relations"))
            try:
                events = await relating.relate(tx, standing, edge, rows[edge.source], rows[edge.target], metadata)
            except VersionConflict:
                raise
            except DomainError as refusal:
                self._refused(line, refusal)
                continue
            self.report.related += len(events)
            if events and outcomes[line.number] == "unchanged":
                outcomes[line.number] = "changed"
        await tx.flush()

    async def _targets(self, tx: Transaction, given: set[str]) -> Mapping[str, ItemRow]:
        """A file names its targets by key, a discovery run by the source's own ids."""
        if self.planner.source != CSV:
            kind = self.planner.source_kind
            found = await self.planner.known.the_only(tx.connection, [Identified(kind, one) for one in sorted(given)])
            return {identified.value: row for identified, row in found.items()}
        named = await finding.by_name(tx.connection, map(name_of, given))
        return {one: named[name_of(one)].row for one in given if name_of(one) in named}

    async def _alone(self, tx: Transaction) -> None:
        if not self.dry_run:  # what is taken back anyway need not keep everybody waiting
            await handlers.alone(tx)

    def _refused(self, line: Line, refusal: DomainError) -> None:
        self.report.troubles.append(Trouble(line.number, line.shown, "relation_refused", refusal))

    def _command(self, line: Line, part: str) -> UUID:
        return ids.derived_id("import", str(self.command_id), part, str(line.number))

    def _item(self, line: Line) -> str:
        return str(ids.derived_id("item", str(self._command(line, "item"))))


def _ends(command: ItemCommand) -> bool:
    return isinstance(command, RetireItem)


def _batches(found: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(found), size):
        yield found[start : start + size]
