"""Databases and roles, one set per context, the same as in production (D11, D12).

Owns `opsledger_<context>`, `<context>_owner`, `<context>_app` and read-only logins. Safe to run at every start. Refuses
nothing that is already there: it brings passwords and role settings up to date.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from opsledger_runtime.embedded.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Reader:
    """A login that may only read one schema of one context, for tools that speak SQL."""

    role: str
    context: str
    schema: str


def database_name(context: str) -> str:
    return f"opsledger_{context}"


def owner_role(context: str) -> str:
    return f"{context}_owner"


def app_role(context: str) -> str:
    return f"{context}_app"


async def create_databases(superuser_url: str, contexts: Sequence[str], secrets: Secrets) -> None:
    """Make what is missing: each context's database and its two roles; only these two may connect to it.

    `superuser_url` names any database. The application role's settings: a forgotten transaction ends after 10 s, and a
    lock is waited for 5 s.
    """
    connection = await asyncpg.connect(superuser_url)
    try:
        for context in contexts:
            owner, app, database = owner_role(context), app_role(context), database_name(context)
            await _login(connection, owner, secrets.password(owner))
            await _login(connection, app, secrets.password(app))
            await connection.execute(f"alter role {app} set idle_in_transaction_session_timeout = '10s'")
            await connection.execute(f"alter role {app} set lock_timeout = '5s'")
            if not await connection.fetchval("select true from pg_database where datname = $1", database):
                await connection.execute(f"create database {database} owner {owner}")
            await connection.execute(f"revoke all on database {database} from public")
            await connection.execute(f"grant connect on database {database} to {app}")
    finally:
        await connection.close()


async def create_reader(superuser_url: str, reader: Reader, secrets: Secrets) -> None:
    """Make a read-only login. `superuser_url` names the context's database.

    Its schema is made here if it is missing, so that tables which migrations make later are readable at once.
    """
    owner = owner_role(reader.context)
    connection = await asyncpg.connect(superuser_url)
    try:
        await _login(connection, reader.role, secrets.password(reader.role))
        await connection.execute(f"alter role {reader.role} set default_transaction_read_only = on")
        await connection.execute(f"alter role {reader.role} set statement_timeout = '30s'")
        await connection.execute(f"alter role {reader.role} set idle_in_transaction_session_timeout = '60s'")
        await connection.execute(f"alter role {reader.role} set search_path = {reader.schema}")
        await connection.execute(f"grant connect on database {database_name(reader.context)} to {reader.role}")
        await connection.execute(f"create schema if not exists {reader.schema} authorization {owner}")
        await connection.execute(f"grant usage on schema {reader.schema} to {reader.role}")
        await connection.execute(f"grant select on all tables in schema {reader.schema} to {reader.role}")
        await connection.execute(
            f"alter default privileges for role {owner} in schema {reader.schema} "
            f"grant select on tables to {reader.role}"
        )
    finally:
        await connection.close()


async def _login(connection: Any, role: str, password: str) -> None:
    if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
        await connection.execute(f"create role {role}")
    # Utility statements take no parameters; the password is of our own making and holds no quote.
    await connection.execute(f"alter role {role} login nosuperuser nocreatedb nocreaterole password '{password}'")
