"""Which known item a line speaks of, by the rules that the settings state: the first rule that finds any decides."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cmdb.domain.facts import Identified, name_of
from cmdb.finding import Named
from cmdb.intake.line import Line
from cmdb.projections.item_row import ItemRow, from_record
from cmdb.settings import Rule

_BY_IDENTIFIER: Final = """
select named.kind as by_kind, named.value as by_value, found.*
from unnest($1::text[], $2::text[]) as wanted (kind, value)
cross join lateral (select kind, value, item from item_identifier
  where kind = wanted.kind and value = wanted.value offset 0) as named
cross join lateral (select * from item where id = named.item offset 0) as found
"""


class Known:
    """The items that some lines may speak of; those registered by lines before are added as they come."""

    def __init__(self) -> None:
        self._rows: dict[str, ItemRow] = {}
        self._by_identifier: dict[tuple[str, str], set[str]] = defaultdict(set)

    async def read(self, connection: Any, identifiers: Iterable[Identified]) -> None:
        """Look these identifiers up."""
        wanted = sorted({(kind, value.lower()) for kind, value in identifiers})
        if not wanted:
            return
        columns = [kind for kind, _ in wanted], [value for _, value in wanted]
        for record in await connection.fetch(_BY_IDENTIFIER, *columns):
            row = from_record(record)
            self._rows[row.id] = row
            self._by_identifier[record["by_kind"], record["by_value"]].add(row.id)

    def add(self, row: ItemRow) -> None:
        """An item as a line left it."""
        self._rows[row.id] = row
        for kind, value in row.facts.identifiers:
            self._by_identifier[kind, value.lower()].add(row.id)

    async def the_only(self, connection: Any, identifiers: Sequence[Identified]) -> dict[Identified, ItemRow]:
        """For each identifier that one item alone has, that item."""
        await self.read(connection, identifiers)
        found = {one: self._by_identifier.get((one.kind, one.value.lower()), set()) for one in identifiers}
        return {one: self._rows[next(iter(items))] for one, items in found.items() if len(items) == 1}

    def having(self, line: Line, kind: str) -> set[str]:
        """Items that share an identifier of this kind with the line."""
        found: set[str] = set()
        for one in line.identifiers:
            if one.kind == kind:
                found |= self._by_identifier.get((kind, one.value.lower()), set())
        return found

    def matches(self, line: Line, rules: Sequence[Rule], source_kind: str, names: Mapping[str, Named]) -> list[ItemRow]:
        """What the first rule that finds any finds, by key."""
        for rule in rules:
            found = self._matching(line, rule, source_kind, names)
            if found:
                return sorted(found, key=lambda row: (row.facts.key, row.id))
        return []

    def _matching(self, line: Line, rule: Rule, source_kind: str, names: Mapping[str, Named]) -> list[ItemRow]:
        candidates: set[str] | None = None
        for part in rule:
            if part in ("class", "environment", "name"):
                continue
            if part == "key":
                named = names.get(name_of(line.key)) if line.key is not None else None
                if named is not None:
                    self._rows.setdefault(named.row.id, named.row)
                having = {named.row.id} if named is not None and named.kind != "former" else set()
            else:
                having = self.having(line, source_kind if part == "source_id" else part)
            candidates = having if candidates is None else candidates & having
        return [row for row in (self._rows[item] for item in candidates or ()) if _agrees(row, line, rule)]


def _agrees(row: ItemRow, line: Line, rule: Rule) -> bool:
    columns = {"class": "item_class", "environment": "environment", "name": "name"}
    return row.live and all(
        line.stated.get(columns[part]) == getattr(row.facts, columns[part]) for part in rule if part in columns
    )
