"""Rows to SQL and back: a batch of any size is one parameter for each table, an array of rows.

Derives columns and types from the row classes; refuses a type it has no column for when the module is loaded. The
database knows each class as a composite type of its own schema, so that a statement means the same whichever tables
its unqualified names find. An array of rows costs the client half as much as an array for each column.
"""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import fields
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

TEAM_NO: Final = "team_no"
"""What follows a row's columns in its type: the place of its team among the batch's teams, from 1."""


class RowTable(Generic[R]):
    """How rows of one class are read from and written to their table, always by unqualified name.

    `row_type` is their composite type in schema `reporting`: the columns in order, then `TEAM_NO`.
    """

    def __init__(self, row: type[R], table: str, row_type: str) -> None:
        hints = get_type_hints(row)
        names = [field.name for field in fields(row)]  # type: ignore[arg-type] # rows are dataclasses
        self.row = row
        self.row_type = row_type
        self.columns = {**{name: _TYPES[hints[name]] for name in names}, TEAM_NO: "bigint"}
        key, listed = names[0], ", ".join(names)
        self._values = operator.attrgetter(*names)
        # The offset keeps the inner part whole: one look into the index for each key, whatever the planner believes of
        # a table that has grown since it was last looked at. A rebuild fills an empty one with the first plan it made.
        self.loading = (
            f"select found.* from unnest($1::text[]) as wanted (key) cross join lateral"
            f" (select {listed} from {table} where {key} = wanted.key offset 0) as found"
        )
        self._insert = (
            f"insert into {table} ({listed}, team_key) select {', '.join(f'told.{name}' for name in names)},"
            f" case when told.{TEAM_NO} is null then -1 else ((select keys from team_keys))[told.{TEAM_NO}] end"
            " from unnest(${parameter}::reporting." + row_type + "[]) as told"
            f" on conflict ({key}) do "
        )
        updates = ", ".join(f"{name} = excluded.{name}" for name in [*names[1:], "team_key"])
        self._update = f"update set {updates}"

    async def load(self, connection: Any, keys: Iterable[str]) -> dict[str, R]:
        """The rows that exist, by natural key."""
        wanted = list(keys)
        if not wanted:
            return {}
        return {row[0]: self.row(*row) for row in await connection.fetch(self.loading, wanted)}

    def writing(self, parameter: int) -> str:
        """The statement that writes the rows of a parameter; it reads `team_keys (keys)`, the teams' keys in order."""
        return self._insert.format(parameter=parameter) + self._update

    def adding(self, parameter: int) -> str:
        """As `writing`, but rows that exist stay as they are."""
        return self._insert.format(parameter=parameter) + "nothing"

    def values(self, rows: Iterable[R], numbers: Mapping[str | None, int | None]) -> list[tuple[Any, ...]]:
        """Rows as a parameter; `numbers` are the teams' places."""
        values, team = self._values, operator.attrgetter("team")
        return [(*values(row), numbers[team(row)]) for row in rows]
