"""Relations across aggregates: what an item may have one of, what must lead nowhere back, and what ends with an item.

One writer at a time (see `handlers.alone`), so what is read here still stands when the transaction commits.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, cast

from cmdb import finding
from cmdb.domain.commands import End, RelateItems, UnrelateItems
from cmdb.domain.relations import KINDS, RELATION
from cmdb.projections.item_row import ItemRow
from opsledger_events import Envelope
from opsledger_events.contexts.cmdb import ConfigurationItemsUnrelated, RelationType
from opsledger_runtime import ids
from opsledger_runtime.errors import DomainError, RuleViolated
from opsledger_runtime.store import Metadata, Transaction

# From each end along its relations; further than one step only where a way back is forbidden.
_STANDING: Final = """
with recursive reached (relation, item) as (
  select relation, end_item from unnest($1::text[], $2::text[]) as wanted (relation, end_item)
  union
  select next.relation, next.target from reached
  cross join lateral (select relation, target from relation where source = reached.item
    and relation.relation = reached.relation and valid_to = 'infinity' and relation.relation = any($3::text[])) as next
)
select found.* from reached cross join lateral (select relation, source, target from relation
  where source = reached.item and relation.relation = reached.relation and valid_to = 'infinity') as found
"""
_OF_ITEM: Final = """
select id, relation, source, target from relation where source = $1 and valid_to = 'infinity'
union
select id, relation, source, target from relation where target = $1 and valid_to = 'infinity'
order by id
"""
_ENDED_BY: Final = """
select ended.aggregate, ended.body from (
  select id from relation where source = $1 union select id from relation where target = $1) as own
join es.event as ended on ended.aggregate = own.id and ended.type = $3
where ended.command = (select command from es.event where aggregate = $1 and version = $2)
order by ended.aggregate
"""
_NO_CYCLE: Final = [name for name, kind in KINDS.items() if kind.no_cycle]


class Edge(NamedTuple):
    """One relation by its type and its ends' ids."""

    relation: RelationType
    source: str
    target: str

    @property
    def id(self) -> str:
        """The aggregate's id: the same two related the same way are the same relation."""
        return str(ids.derived_id("relation", self.relation, self.source, self.target))


class Standing:
    """Relations that stand, as far as they matter to some new ones."""

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._targets: dict[tuple[str, str], set[str]] = defaultdict(set)
        for edge in edges:
            self.add(edge)

    @classmethod
    async def around(cls, connection: Any, wanted: Sequence[Edge]) -> "Standing":
        """What must be known to judge these."""
        ends = sorted({(edge.relation, end) for edge in wanted for end in (edge.source, edge.target)})
        if not ends:
            return cls()
        rows = await connection.fetch(_STANDING, [kind for kind, _ in ends], [end for _, end in ends], _NO_CYCLE)
        return cls(Edge(*row) for row in rows)

    def add(self, edge: Edge) -> None:
        """It stands from now on."""
        self._targets[edge.relation, edge.source].add(edge.target)

    def remove(self, edge: Edge) -> None:
        """It stands no longer."""
        self._targets[edge.relation, edge.source].discard(edge.target)

    def stands(self, edge: Edge) -> bool:
        """Whether it stands, or for what is connected both ways, its reverse."""
        if edge.relation == "connected_to" and edge.source in self._targets[edge.relation, edge.target]:
            return True
        return edge.target in self._targets[edge.relation, edge.source]

    def check(self, edge: Edge, source: End, target: End) -> None:
        """Refuse a second where one is allowed, and a way back where none is.

        Raises:
            RuleViolated: names the rule.
        """
        kind = KINDS[edge.relation]
        if kind.has_one_target(source.item_class) and self._targets[edge.relation, edge.source] - {edge.target}:
            raise RuleViolated(
                f"“{source.key}” has a relation `{edge.relation}` already, and a {source.item_class} may have one only."
                " End that first.",
                rule="one_target_only",
            )
        if kind.no_cycle and self._leads(edge.relation, edge.target, edge.source):
            raise RuleViolated(
                f"“{target.key}” is `{edge.relation}` “{source.key}” already, directly or through others; the two"
                " would be in a circle.",
                rule="no_circle",
            )

    def _leads(self, relation: str, start: str, goal: str) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            one = waiting.pop()
            if one == goal:
                return True
            further = self._targets[relation, one] - seen
            seen |= further
            waiting.extend(further)
        return False


def end_of(row: ItemRow) -> End:
    """An item as one end of a relation.

    Raises:
        RuleViolated: it is retired or merged.
    """
    if not row.live:
        raise RuleViolated(
            f"“{row.facts.key}” is retired or merged. Only what is still there is related.", rule="ends_are_there"
        )
    return End(row.id, row.facts.key, row.facts.item_class)


async def relate(
    tx: Transaction, standing: Standing, edge: Edge, source: ItemRow, target: ItemRow, metadata: Metadata
) -> list[Envelope]:
    """Relate two items after every check; nothing where they are related already.

    Raises:
        RuleViolated: they may not be related so.
    """
    command = RelateItems(edge.relation, end_of(source), end_of(target))
    if edge.source != edge.target and standing.stands(edge):
        return []
    loaded = await tx.load(RELATION, edge.id)
    events = RELATION.decide(command, loaded.state)  # what the classes say comes before what stands
    standing.check(edge, command.source, command.target)
    standing.add(edge)
    about = replace(metadata, organisation=source.facts.organisation)
    return tx.append(RELATION, edge.id, loaded, events, about)


async def end_all(tx: Transaction, item: str, reason: str, metadata: Metadata) -> list[Edge]:
    """End every relation of an item; which ones there were."""
    rows = await tx.connection.fetch(_OF_ITEM, item)
    await tx.load_many(RELATION, [row["id"] for row in rows])
    for row in rows:
        await tx.execute(RELATION, row["id"], UnrelateItems(reason), replace(metadata, organisation=None))
    return [Edge(row["relation"], row["source"], row["target"]) for row in rows]


@dataclass(slots=True)
class Carried:
    """Relations that were taken up again or taken over, and those that could not be, each with its refusal."""

    done: int = 0
    left: list[tuple[Edge, DomainError]] = field(default_factory=list)


async def carry(
    tx: Transaction, edges: Sequence[Edge], gone: Sequence[Edge], rows: dict[str, ItemRow], metadata: Metadata
) -> Carried:
    """Relate the ends of these where they may be; `gone` were ended in this transaction, `rows` newer than stored."""
    carried = Carried()
    standing = await Standing.around(tx.connection, edges)
    for edge in gone:
        standing.remove(edge)
    known = await finding.by_id(tx.connection, {end for edge in edges for end in edge[1:]} - set(rows))
    known.update(rows)
    for edge in edges:
        try:
            await relate(tx, standing, edge, known[edge.source], known[edge.target], metadata)
            carried.done += 1
        except RuleViolated as refusal:
            carried.left.append((edge, refusal))
    return carried


async def ended_with(tx: Transaction, item: str, version: int) -> list[Edge]:
    """The relations that ended by the command that led to this version of the item."""
    rows = await tx.connection.fetch(_ENDED_BY, item, version, ConfigurationItemsUnrelated.type_name)
    found = [Envelope.from_json(row["body"]).data for row in rows]
    return [Edge(cast(RelationType, data["relation"]), data["source"], data["target"]) for data in found]
