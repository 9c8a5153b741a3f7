"""Rows to SQL and back: a batch of any size is one parameter for each table, an array of rows.

Derives columns and types from the row classes; refuses a type it has no column for when the module is loaded. The
database knows each class as a composite type of its own schema, so that a statement means the same whichever tables
its unqualified names find. An array of rows costs the client half as much as an array for each column.
"""

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, get_type_hints

R = TypeVar("R")

_TYPES: Final[dict[Any, str]] = {
    str: "text",
    str | None: "text",
    int: "bigint",
    int | None: "bigint",
    bool: "boolean",
    bool | None: "boolean",
    datetime: "timestamp with time zone",
    datetime | None: "timestamp with time zone",
}

Numbers = Mapping[str, Mapping[str | None, int | None]]
"""By dimension: the places of its members among those that the batch names, from 1; None for no member."""


@dataclass(frozen=True, slots=True)
class Naming:
    """A column whose text names a member of a dimension; the table has its key beside it, in `<column>_key`."""

    column: str
    dimension: str

    @property
    def place(self) -> str:
        """What follows the row's columns in its type: the member's place among those that the batch names."""
        return f"{self.column}_no"

    @property
    def key(self) -> str:
        """The column of the surrogate key."""
        return f"{self.column}_key"

    @property
    def found(self) -> str:
        """SQL: the key of the member that a row `told` names."""
        return f"case when told.{self.place} is null then -1 else ((select keys from {self.dimension}_keys))" + (
            f"[told.{self.place}] end"
        )


TEAM: Final = Naming("team", "team")
ORGANISATION: Final = Naming("organisation", "organisation")
SERVICE: Final = Naming("service", "service")


class RowTable(Generic[R]):
    """How rows of one class are read from and written to their table, always by unqualified name.

    `row_type` is their composite type in schema `reporting`: the columns in order, then the places of what they name.
    `lasting` are columns in which nothing means for ever.
    """

    def __init__(
        self,
        row: type[R],
        table: str,
        row_type: str,
        *,
        key: int = 1,
        names: Sequence[Naming] = (TEAM,),
        lasting: Collection[str] = (),
    ) -> None:
        hints = get_type_hints(row)
        columns = [field.name for field in fields(row)]  # type: ignore[arg-type] # rows are dataclasses
        self.row = row
        self.row_type = row_type
        self.names = names
        self.columns = {**{name: _TYPES[hints[name]] for name in columns}, **{found.place: "bigint" for found in names}}
        listed, keys = ", ".join(columns), ", ".join(columns[:key])
        self._values = operator.attrgetter(*columns)
        self._named = [(found.dimension, operator.attrgetter(found.column)) for found in names]
        # The offset keeps the inner part whole: one look into the index for each key, whatever the planner believes of
        # a table that has grown since it was last looked at. A rebuild fills an empty one with the first plan it made.
        self.loading = (
            f"select found.* from unnest($1::text[]) as wanted (key) cross join lateral"
            f" (select {listed} from {table} where {columns[0]} = wanted.key offset 0) as found"
        )
        keyed = [*columns, *(found.key for found in names)]
        told = [f"coalesce(told.{name}, 'infinity')" if name in lasting else f"told.{name}" for name in columns]
        self._insert = (
            f"insert into {table} ({', '.join(keyed)}) select {', '.join(told + [n.found for n in names])}"
            " from unnest(${parameter}::reporting." + row_type + "[]) as told"
            f" on conflict ({keys}) do "
        )
        updates = [f"{name} = excluded.{name}" for name in keyed[key:]]
        self._update = f"update set {', '.join(updates)}"

    async def load(self, connection: Any, keys: Iterable[str]) -> dict[str, R]:
        """The rows that exist, by natural key."""
        wanted = list(keys)
        if not wanted:
            return {}
        return {row[0]: self.row(*row) for row in await connection.fetch(self.loading, wanted)}

    def writing(self, parameter: int) -> str:
        """The statement that writes the rows of a parameter; it reads `<dimension>_keys (keys)`, the keys in order."""
        return self._insert.format(parameter=parameter) + self._update

    def adding(self, parameter: int) -> str:
        """As `writing`, but rows that exist stay as they are."""
        return self._insert.format(parameter=parameter) + "nothing"

    def values(self, rows: Iterable[R], numbers: Numbers) -> list[tuple[Any, ...]]:
        """Rows as a parameter."""
        values = self._values
        named = [(numbers[dimension], name) for dimension, name in self._named]
        if len(named) == 1:
            places, name = named[0]
            return [(*values(row), places[name(row)]) for row in rows]
        return [(*values(row), *[places[name(row)] for places, name in named]) for row in rows]
