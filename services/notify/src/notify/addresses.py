"""Names and mail addresses of contacts, in the table `contact_address`.

No event carries them (D11): they are written in the transaction of the event that they belong to, and nowhere else.
The table is therefore a record of its own, not a read model: backups matter for it, rebuilds leave it alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_PUT = """
insert into contact_address (contact, name, email) values ($1, $2, $3)
on conflict (contact) do update set name = $2, email = $3
"""


@dataclass(frozen=True, slots=True)
class Address:
    """One contact's display name and mailbox."""

    name: str
    email: str


async def put(connection: Any, contact: str, address: Address) -> None:
    """Set or replace."""
    await connection.execute(_PUT, contact, address.name, address.email)


async def find(connection: Any, contact: str) -> Address | None:
    """None where the contact is unknown or was erased."""
    row = await connection.fetchrow("select name, email from contact_address where contact = $1", contact)
    return None if row is None else Address(row["name"], row["email"])


async def names(connection: Any, contacts: Iterable[str]) -> dict[str, str]:
    """Display names of those of the contacts that have one."""
    rows = await connection.fetch("select contact, name from contact_address where contact = any($1)", list(contacts))
    return {row["contact"]: row["name"] for row in rows}
