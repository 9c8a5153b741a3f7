"""Load, decide, append: one function per way in. No HTTP; of the rules only those across items stand here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cmdb import finding, relating
from cmdb.domain.classes import ClassDefinition
from cmdb.domain.commands import (
    AbsorbItem,
    DescribeItem,
    ItemCommand,
    MergeItem,
    RegisterItem,
    UndoEdit,
    UnrelateItems,
)
from cmdb.domain.decider import ITEM
from cmdb.domain.facts import Facts, name_of
from cmdb.domain.relations import RELATION
from cmdb.domain.undoing import facts_without
from cmdb.projections.item_row import ItemRow, fold
from cmdb.relating import Carried, Edge, Standing
from opsledger_events import Envelope
from opsledger_events.contexts.cmdb import RelationType
from opsledger_runtime import ids
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import NotFound, RuleViolated
from opsledger_runtime.store import Metadata, Transaction

_WRITER: Final = (0x636D6462, 0)
"""The two numbers of the lock that a writer holds until its transaction ends."""


async def alone(tx: Transaction) -> None:
    """One writer at a time: that keys are unique and nothing leads in a circle is true of all items together."""
    await tx.connection.execute("select pg_advisory_xact_lock($1, $2)", *_WRITER)


async def register(
    tx: Transaction, facts: Facts, definition: ClassDefinition, metadata: Metadata, source: str = "api"
) -> ItemRow:
    """Register an item. Its id derives from the command id, so a repeat registers no second.

    Raises:
        RuleViolated: the key is taken.
        Invalid: the attributes do not conform.
    """
    await alone(tx)
    item = str(ids.derived_id("item", str(metadata.command_id)))
    await require_free(tx, facts.key, item)
    events = await tx.execute(ITEM, item, RegisterItem(facts, definition, source), metadata, expected_version=0)
    return fold(ItemRow(item), events)


async def act(
    tx: Transaction,
    given: str,
    caller: Caller,
    command: ItemCommand,
    metadata: Metadata,
    *,
    expected_version: int | None = None,
) -> tuple[ItemRow, Carried]:
    """Ask something of an item that the caller may know of, and let its relations follow.

    Raises:
        NotFound: there is none, or not for this caller.
        VersionConflict, RuleViolated, Invalid: as the store and the decider say.
    """
    await alone(tx)
    before = await finding.locate(tx.connection, given, caller.organisations)
    organisation = await _organisation_after(tx, before, command)
    if organisation != before.facts.organisation:
        caller.require(organisation)
    metadata = replace(metadata, organisation=organisation)
    events = await tx.execute(ITEM, before.id, command, metadata, expected_version=expected_version)
    row = fold(before, events)
    if row.live and (not before.live or name_of(row.facts.key) != name_of(before.facts.key)):
        await require_free(tx, row.facts.key, row.id)
    if before.live and not row.live:
        await relating.end_all(tx, row.id, "retired", metadata)
    if row.live and not before.live and isinstance(command, UndoEdit):
        edges = await relating.ended_with(tx, row.id, command.version)
        return row, await relating.carry(tx, edges, (), {row.id: row}, metadata)
    return row, Carried()


async def _organisation_after(tx: Transaction, before: ItemRow, command: ItemCommand) -> str | None:
    if isinstance(command, DescribeItem):
        return command.organisation
    if isinstance(command, UndoEdit) and before.merged_into is None:
        return facts_without((await tx.load(ITEM, before.id)).state, command.version).organisation
    return before.facts.organisation


async def merge(
    tx: Transaction, duplicate: str, into: str, caller: Caller, metadata: Metadata, *, expected_version: int | None
) -> tuple[ItemRow, Carried]:
    """Let one item stand for its duplicate: relations and identifiers move, the key goes on naming it.

    Raises:
        NotFound: one of the two is not there for this caller.
        RuleViolated: they are the same, differ in class or organisation, or one is retired or merged.
    """
    await alone(tx)
    gone = await finding.locate(tx.connection, duplicate, caller.organisations)
    stays = await finding.locate(tx.connection, into, caller.organisations)
    if gone.id == stays.id:
        raise RuleViolated("These are the same item. Name the item that stands for it.", rule="not_into_itself")
    if not stays.live:
        raise RuleViolated(
            f"“{stays.facts.key}” is retired or merged. Merge into an item that is there.", rule="survivor_is_there"
        )
    if (gone.facts.item_class, gone.facts.organisation) != (stays.facts.item_class, stays.facts.organisation):
        raise RuleViolated(
            "The two differ in class or organisation. Describe one of them anew first.", rule="merged_alike"
        )
    merged = await tx.execute(
        ITEM, gone.id, MergeItem(stays.id, stays.facts.key), metadata, expected_version=expected_version
    )
    absorbed = await tx.execute(ITEM, stays.id, AbsorbItem(gone.id, gone.facts.key, gone.facts.identifiers), metadata)
    ended = await relating.end_all(tx, gone.id, "merged", metadata)
    rows = {gone.id: fold(gone, merged), stays.id: fold(stays, absorbed)}
    moved = [_moved(edge, gone.id, stays.id) for edge in ended]
    between = [edge for edge in moved if edge.source != edge.target]  # what related the two has no meaning any more
    return rows[stays.id], await relating.carry(tx, between, ended, rows, metadata)


def _moved(edge: Edge, gone: str, stays: str) -> Edge:
    return Edge(edge.relation, *(stays if end == gone else end for end in (edge.source, edge.target)))


async def relate(
    tx: Transaction, relation: RelationType, source: str, target: str, caller: Caller, metadata: Metadata
) -> tuple[Edge, ItemRow, ItemRow, list[Envelope]]:
    """Relate two items that the caller may know of.

    Raises:
        NotFound: one of them is not there for this caller.
        RuleViolated: they may not be related so.
    """
    await alone(tx)
    ends = [await finding.locate(tx.connection, given, caller.organisations) for given in (source, target)]
    edge = Edge(relation, ends[0].id, ends[1].id)
    standing = await Standing.around(tx.connection, [edge])
    return edge, ends[0], ends[1], await relating.relate(tx, standing, edge, ends[0], ends[1], metadata)


async def unrelate(
    tx: Transaction, relation: str, reason: str | None, caller: Caller, metadata: Metadata
) -> tuple[Edge, list[Envelope]]:
    """End a relation whose ends the caller may both know of.

    Raises:
        NotFound: there is none, or not for this caller.
    """
    await alone(tx)
    loaded = await tx.load(RELATION, relation)
    told = loaded.state.told
    if told is None:
        raise NotFound("There is no such relation.", code="no_such_relation")
    rows = await finding.by_id(tx.connection, [told.source, told.target])
    if not all(caller.sees(row.facts.organisation) for row in rows.values()):
        raise NotFound("There is no such relation.", code="no_such_relation")
    events = await tx.execute(RELATION, relation, UnrelateItems(reason), metadata)
    return Edge(told.relation, told.source, told.target), events


async def require_free(tx: Transaction, key: str, item: str) -> None:
    """Refuse a key that names another item that is there.

    Raises:
        RuleViolated: it is taken.
    """
    named = (await finding.by_name(tx.connection, [name_of(key)])).get(name_of(key))
    if named is not None and named.kind != "former" and named.row.id != item:
        raise key_taken(key)


def key_taken(key: str) -> RuleViolated:
    """What is said of a key that names another item."""
    return RuleViolated(
        f"The key “{key}” names another item, or one that was merged into it. Choose another key.", rule="key_taken"
    )


def as_known(item: str, history: Sequence[Envelope]) -> ItemRow:
    """The item by these of its events.

    Raises:
        NotFound: it did not exist then.
    """
    row = fold(ItemRow(item), history)
    if row.version == 0:
        raise NotFound("There was no such item then.", code="no_such_item")
    return row
