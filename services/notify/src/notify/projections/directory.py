"""Inline read models `contact` and `team`: who there is to tell.

A contact's name and address are in `contact_address` (see `notify.addresses`), which no rebuild touches: events do not
carry them, so a rebuild could not bring them back, and erasure clears them in one place.
"""

from collections.abc import Sequence
from typing import Any

from opsledger_events import Envelope, decode
from opsledger_events.contexts.notify import ContactRegistered, TeamFormed
from opsledger_runtime.projections import Projection, Table

_CONTACT = """
insert into contact (id, language, active, revision) values ($1, $2, $3, $4)
on conflict (id) do update set language = $2, active = $3, revision = $4
"""
_TEAM = """
insert into team (key, name, members, revision) values ($1, $2, $3, $4)
on conflict (key) do update set name = $2, members = $3, revision = $4
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """The latest registration or formation counts."""
    for envelope in envelopes:
        match decode(envelope):
            case ContactRegistered() as event:
                contact = envelope.subject.removeprefix("contact:")
                await connection.execute(_CONTACT, contact, event.language, event.active, event.revision)
            case TeamFormed() as event:
                await connection.execute(_TEAM, event.key, event.name, event.members, event.revision)


DIRECTORY = Projection(
    name="directory",
    version=1,
    reads=frozenset({ContactRegistered.type_name, TeamFormed.type_name}),
    tables=(Table("contact", ("id",)), Table("team", ("key",))),
    apply=apply,
)


async def unknown(connection: Any, table: str, column: str, keys: Sequence[str]) -> list[str]:
    """Those of `keys` that `table` (a name of this module's) does not hold, in their order."""
    rows = await connection.fetch(f"select {column} as key from {table} where {column} = any($1)", list(keys))
    known = {row["key"] for row in rows}
    return [key for key in keys if key not in known]
