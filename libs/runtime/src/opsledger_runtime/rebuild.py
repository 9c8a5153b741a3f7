"""Whether a read model is what its events say: fill a copy from zero and take its digest (D9).

Owns the scratch copy. Refuses to leave anything behind: the copy lives in one transaction that is always undone, and
with it whatever a projection might have written elsewhere.
"""

from collections.abc import AsyncIterable, Sequence
from typing import Any

from opsledger_events import Envelope
from opsledger_runtime import ids, projections
from opsledger_runtime.projections import Projection


async def rebuilt_digest(
    connection_owner: Any,
    projection: Projection,
    schema_of_live_tables: str,
    events: AsyncIterable[Sequence[Envelope]],
) -> str:
    """The digest of the projection's tables filled with `events` from zero, comparable with `projections.digest`.

    `connection_owner` may create schemas and is in no transaction. The copy has columns, defaults, checks, indexes,
    identities and sequences of its own, and the foreign keys between the projection's own tables; triggers are not
    copied. The digest is taken with the session's time zone set to UTC, as services' connections have it.

    Raises:
        LookupError: a table of the projection does not exist in `schema_of_live_tables`.
    """
    scratch = f"rebuild_{ids.new_id().hex}"
    transaction = connection_owner.transaction()
    await transaction.start()
    try:
        await connection_owner.execute("set local timezone = 'UTC'; set local idle_in_transaction_session_timeout = 0")
        await _copy_tables(connection_owner, projection, schema_of_live_tables, scratch)
        await connection_owner.execute(f'set local search_path = "{scratch}", "{schema_of_live_tables}", es')
        async for batch in events:
            wanted = [envelope for envelope in batch if envelope.type_name in projection.reads]
            if wanted:
                await projection.apply(connection_owner, wanted)
        return await projections.digest(connection_owner, projection, scratch)
    finally:
        await transaction.rollback()


async def _copy_tables(connection: Any, projection: Projection, live: str, scratch: str) -> None:
    await connection.execute(f'create schema "{scratch}"')
    names = [table.name for table in projection.tables]
    for name in names:
        if await connection.fetchval("select to_regclass($1)", f'"{live}"."{name}"') is None:
            raise LookupError(f"projection {projection.name}: no table {live}.{name}")
        await connection.execute(f'create table "{scratch}"."{name}" (like "{live}"."{name}" including all)')
        await _own_sequences(connection, live, scratch, name)
    # Unqualified names in a definition depend on the path: read it where the tables are, add it where the copies are.
    await connection.execute(f'set local search_path = "{live}"')
    keys = await connection.fetch(
        """
        select conrelid::regclass::text as name, conname, pg_get_constraintdef(oid) as definition
          from pg_constraint where contype = 'f'
           and conrelid in (select name::regclass from unnest($1::text[]) as own (name))
           and confrelid in (select name::regclass from unnest($1::text[]) as own (name))
        """,
        [f'"{name}"' for name in names],
    )
    await connection.execute(f'set local search_path = "{scratch}"')
    for key in keys:
        await connection.execute(f'alter table {key["name"]} add constraint "{key["conname"]}" {key["definition"]}')


async def _own_sequences(connection: Any, live: str, scratch: str, table: str) -> None:
    """A copied default would draw numbers from the live table's sequence."""
    columns = await connection.fetch(
        "select column_name from information_schema.columns"
        " where table_schema = $1 and table_name = $2 and column_default like 'nextval(%'",
        live,
        table,
    )
    for row in columns:
        column = row["column_name"]
        sequence = f'"{scratch}"."{table}_{column}_own"'
        await connection.execute(f"create sequence {sequence}")
        await connection.execute(
            f'alter table "{scratch}"."{table}" alter column "{column}" set default nextval(\'{sequence}\')'
        )
