"""Read models: disposable tables that events fill (D9).

A projection names its version and the events it reads. Tables are written by unqualified name, so that the same code
fills a copy in another schema: that is how a rebuild is compared with what stands.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from opsledger_events import Envelope

Apply = Callable[[Any, Sequence[Envelope]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Table:
    """A projection's table and what its digest is taken over: the natural key, and columns that are facts.

    `volatile` columns (surrogate keys, working state) are left out of the digest.
    """

    name: str
    key: tuple[str, ...]
    volatile: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Projection:
    """How events change some tables.

    `reads` are type names such as `<context>.<EventName>.v1`. `apply` runs in the transaction of its caller and
    gets the events in order, only those it reads.
    """

    name: str
    version: int
    reads: frozenset[str]
    tables: tuple[Table, ...]
    apply: Apply


async def digest(connection: Any, projection: Projection, schema: str) -> str:
    """A digest over every row of the projection's tables in `schema`, in order of the natural key."""
    found = hashlib.sha256()
    for table in projection.tables:
        columns = await connection.fetch(
            "select column_name from information_schema.columns"
            " where table_schema = $1 and table_name = $2 order by column_name",
            schema,
            table.name,
        )
        names = [row["column_name"] for row in columns if row["column_name"] not in table.volatile]
        if not names:
            raise LookupError(f"projection {projection.name}: no table {schema}.{table.name}")
        listed = ", ".join(f'"{name}"' for name in names)
        order = ", ".join(f'"{name}"' for name in table.key)
        found.update(table.name.encode())
        async with connection.transaction():
            async for row in connection.cursor(
                f'select row({listed})::text as row from "{schema}"."{table.name}" order by {order}'
            ):
                found.update(row["row"].encode() + b"\n")
    return found.hexdigest()
