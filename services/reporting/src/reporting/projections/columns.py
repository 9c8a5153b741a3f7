"""Rows to SQL: one array per column, so that a batch of any size is one statement per table.

Derives columns and types from the row classes; refuses a type it has no column for when the module is loaded.
"""

import operator
from collections.abc import Iterable
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
    datetime: "timestamptz",
    datetime | None: "timestamptz",
}


class RowTable(Generic[R]):
    """How rows of one class are read from and written to their table, always by unqualified name."""

    def __init__(self, row: type[R], table: str) -> None:
        hints = get_type_hints(row)
        names = [field.name for field in fields(row)]  # type: ignore[arg-type] # rows are dataclasses
        self.row = row
        self.key = names[0]
        listed = ", ".join(names)
        arrays = ", ".join(f"${at}::{_TYPES[hints[name]]}[]" for at, name in enumerate(names, 1))
        updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        self._values = operator.attrgetter(*names)
        self._select = f"select {listed} from {table} where {self.key} = any($1::text[])"
        self._upsert = (
            f"insert into {table} ({listed}) select * from unnest({arrays})"
            f" on conflict ({self.key}) do update set {updates}"
        )

    async def load(self, connection: Any, keys: Iterable[str]) -> dict[str, R]:
        """The rows that exist, by natural key."""
        wanted = list(keys)
        if not wanted:
            return {}
        return {row[0]: self.row(*row) for row in await connection.fetch(self._select, wanted)}

    async def save(self, connection: Any, rows: dict[str, R]) -> None:
        """Write rows, in order of their keys so that two writers never wait for each other in a circle."""
        if rows:
            columns = zip(*(self._values(rows[key]) for key in sorted(rows)), strict=True)
            await connection.execute(self._upsert, *columns)
