"""Forward-only SQL migrations, run by the owner role, one runner at a time.

Numbered files `NNNN_name.sql`; each runs once in a transaction of its own and is recorded with its digest. Refuses a
file that changed after it ran, and gives up after a lock timeout rather than queue behind a long reader.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import asyncpg

_LOCK = 0x0B5_1ED6E4
_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")


class MigrationError(Exception):
    """The schema cannot be brought up to date; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """The migrations of one package, run with `search_path` set to `schemas`."""

    package: str
    schemas: tuple[str, ...]

    def scripts(self) -> list[Traversable]:
        """The numbered files in order."""
        found = [entry for entry in (files(self.package) / "migrations").iterdir() if _NAME.match(entry.name)]
        return sorted(found, key=lambda entry: entry.name)


async def migrate(owner_url: str, sets: Sequence[MigrationSet], application_role: str | None) -> int:
    """Run what has not run yet and grant the application role its rights; returns how many scripts ran."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("set lock_timeout = '10s'")
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        ran = 0
        for migrations in sets:
            for schema in migrations.schemas:
                await connection.execute(f'create schema if not exists "{schema}"')
            ran += await _run(connection, migrations)
            if application_role is not None:
                async with connection.transaction():  # never a moment in which events may be changed
                    await _grant(connection, migrations.schemas, application_role)
        return ran
    except asyncpg.LockNotAvailableError as error:
        raise MigrationError(
            "A migration waited 10 s for a lock that somebody holds. End the long transaction and start again."
        ) from error
    finally:
        await connection.close()


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", migrations: MigrationSet) -> int:
    home = migrations.schemas[0]
    await connection.execute(
        f'create table if not exists "{home}".schema_migration'
        " (name text primary key, digest text not null, ran_at timestamptz not null default clock_timestamp())"
    )
    done = {
        row["name"]: row["digest"]
        for row in await connection.fetch(f'select name, digest from "{home}".schema_migration')
    }
    ran = 0
    for script in migrations.scripts():
        text = script.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if script.name in done:
            if done[script.name] != digest:
                raise MigrationError(
                    f"{migrations.package}/migrations/{script.name} was changed after it ran here. "
                    "Migrations are forward-only: put the file back and add a new one."
                )
            continue
        async with connection.transaction():
            await connection.execute(
                "set local search_path = " + ", ".join(f'"{schema}"' for schema in migrations.schemas)
            )
            await connection.execute(text)
            await connection.execute(
                f'insert into "{home}".schema_migration (name, digest) values ($1, $2)', script.name, digest
            )
        ran += 1
    return ran


async def _grant(connection: "asyncpg.Connection[asyncpg.Record]", schemas: Sequence[str], role: str) -> None:
    for schema in schemas:
        await connection.execute(f'grant usage on schema "{schema}" to "{role}"')
        await connection.execute(f'grant select, insert, update, delete on all tables in schema "{schema}" to "{role}"')
        await connection.execute(f'grant usage, select on all sequences in schema "{schema}" to "{role}"')
        if schema == schemas[0]:
            await connection.execute(f'revoke insert, update, delete on "{schema}".schema_migration from "{role}"')
        if schema == "es":  # facts are never changed, by nobody who runs a service (D11)
            await connection.execute(f'revoke update, delete on es.event, es.publication from "{role}"')
