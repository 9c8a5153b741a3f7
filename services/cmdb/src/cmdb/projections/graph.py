"""The network of items as the read models `item`, `item_version` and `relation` hold it, now or at an instant.

Owns no table. Walks go level by level, one statement each, over what the caller may see: an item of another
organisation is neither shown nor passed through, since a way through it would tell that it is there.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cmdb.domain.facts import name_of
from cmdb.graph.difference import Neighbourhood
from cmdb.graph.network import Direction, Item, Relation, Walk
from opsledger_runtime.errors import NotFound

_FACTS: Final = (
    "key, name, item_class, environment, criticality, lifecycle, organisation, owner_team, administrator,"
    " database_administrator, attributes::text as attributes, merged_into"
)
_SCOPE: Final = "($2::text[] is null or organisation = any($2::text[]))"
# By the two indexes of relation, each of which begins with an end and knows what is still valid.
_ENDS: Final = {
    Direction.DEPENDENTS: (("target", "source", "source_depends"), ("source", "target", "target_depends")),
    Direction.DEPENDENCIES: (("source", "target", "source_depends"), ("target", "source", "target_depends")),
}


@dataclass(frozen=True, slots=True)
class View:
    """One look at the network: whose items, and as of when. All that is read through it is of one moment."""

    connection: Any
    organisations: list[str] | None
    as_of: datetime | None = None

    async def start(self, id_or_key: str) -> Item:
        """The item with this id, key or former key, or what stands for it since it was merged.

        Raises:
            NotFound: there is none, or not for these organisations, or it was not known then.
        """
        wanted = await self.connection.fetchval(_LOCATE, id_or_key, name_of(id_or_key))
        seen: set[str] = set()
        while wanted is not None and wanted not in seen:
            seen.add(wanted)
            found = await self.connection.fetchrow(
                f"{self._facts('$1')} and {_SCOPE}", wanted, self.organisations, *self._instant
            )
            if found is None:
                break
            if found["merged_into"] is None:
                return Item.of(found)
            wanted = found["merged_into"]
        raise NotFound("There is no such item, or it was not known then.", code="no_such_item")

    async def walk(self, start: Item, direction: Direction, depth: int | None = None, most: int = 10_000) -> Walk:
        """From `start` to everything that can be reached."""
        walk = Walk(start, depth, most)
        statement = self._level(direction)
        while walk.frontier:
            walk.take(await self.connection.fetch(statement, walk.frontier, self.organisations, *self._instant))
        return walk

    async def items(self, ids: Iterable[str]) -> dict[str, Item]:
        """What these items are, by id."""
        rows = await self.connection.fetch(
            "select found.* from unnest($1::text[]) as wanted (item)"
            f" cross join lateral ({self._facts('wanted.item')} and {_SCOPE} offset 0) as found",
            list(ids),
            self.organisations,
            *self._instant,
        )
        return {row["id"]: Item.of(row) for row in rows}

    async def relations(self, items: Iterable[str]) -> list[Relation]:
        """All relations between these items, those without impact too."""
        rows = await self.connection.fetch(
            "select found.* from unnest($1::text[]) as wanted (item) cross join lateral"
            " (select source, target, relation, impact from relation"
            f" where source = wanted.item and {self._valid(2)} offset 0) as found"
            " where target = any($1::text[]) order by source, target, relation",
            list(items),
            *self._instant,
        )
        return [Relation(*row) for row in rows]

    async def neighbourhood(
        self, start: Item, directions: Sequence[Direction], depth: int, most: int
    ) -> tuple[Neighbourhood, dict[str, int]]:
        """Everything at most `depth` steps away and the relations between; how far: dependents below 0.

        An item that is reached both ways stands where it is nearer.
        """
        layers, truncated = {start.id: 0}, False
        for direction in directions:
            walk = await self.walk(start, direction, depth, most)
            truncated = truncated or walk.truncated
            sign = -1 if direction is Direction.DEPENDENTS else 1
            for one in walk.others():
                if one.id not in layers or one.distance < abs(layers[one.id]):
                    layers[one.id] = sign * one.distance
        items = await self.items(layers)
        return Neighbourhood(items, await self.relations(items), truncated), layers

    @property
    def _instant(self) -> tuple[datetime, ...]:
        return () if self.as_of is None else (self.as_of,)

    def _valid(self, number: int) -> str:
        if self.as_of is None:
            return "valid_to = 'infinity'"
        return f"valid_from <= ${number} and valid_to > ${number}"

    def _facts(self, item: str) -> str:
        if self.as_of is None:
            return f"select id, {_FACTS} from item where id = {item}"
        return f"select item as id, {_FACTS} from item_version where item = {item} and {self._valid(3)}"

    def _level(self, direction: Direction) -> str:
        beside = " union all ".join(
            f"(select {there} as other, relation from relation where {here} = wanted.item and impact = '{impact}'"
            f" and {self._valid(3)})"
            for here, there, impact in _ENDS[direction]
        )
        key = "select key from item where id = beside.other"
        if self.as_of is not None:
            key = f"select key from item_version where item = beside.other and {self._valid(3)}"
        return (
            "select wanted.item, beside.relation, beside.other, named.key from unnest($1::text[]) as wanted (item)"
            f" cross join lateral ({beside} offset 0) as beside"
            f" cross join lateral ({key} and {_SCOPE} offset 0) as named"
        )


@asynccontextmanager
async def view(pool: Any, organisations: list[str] | None, as_of: datetime | None = None) -> AsyncIterator[View]:
    """A look at the network from one snapshot, for callers of these organisations (None: of all)."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield View(connection, organisations, as_of)


async def classes(connection: Any) -> dict[str, Any]:
    """Names of the classes by key: rows of name_zh, name_en, is_service."""
    rows = await connection.fetch("select key, name_zh, name_en, is_service from class_definition")
    return {row["key"]: row for row in rows}


_LOCATE: Final = """
select id from item where id = $1
union all select item from item_name where name = $2
limit 1
"""
