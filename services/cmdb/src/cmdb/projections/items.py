"""Read models `item`, `item_version`, `item_name`, `item_identifier` (inline): what is, what was, and what names it."""

import json
from collections.abc import Sequence
from typing import Any, Final

from cmdb.domain.facts import NAMES, name_of
from cmdb.domain.state import ITEM_EVENTS
from cmdb.projections.item_row import COLUMNS, ItemRow, from_record, row_after, shown
from opsledger_events import Envelope, decode
from opsledger_events.contexts.cmdb import ConfigurationItemMerged, ConfigurationItemRegistered
from opsledger_events.envelope import format_instant
from opsledger_runtime.projections import Projection, Table

# Each by its key, whatever the planner believes of the table: a plan made while it was empty would scan it for ever.
_LOAD: Final = (
    "select found.* from unnest($1::text[]) as wanted (key) cross join lateral"
    " (select * from item where id = wanted.key offset 0) as found"
)
_UPSERT: Final = f"""
insert into item ({", ".join(COLUMNS)})
select {", ".join(COLUMNS)} from jsonb_populate_recordset(null::item, $1::text::jsonb)
on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "id")}
"""
_SPAN: Final = ("item", "version", "valid_from", "valid_to", *NAMES, "merged_into")
_CLOSE: Final = """
update item_version set valid_to = ended.at
from unnest($1::text[], $2::integer[], $3::timestamptz[]) as ended (item, version, at)
where item_version.item = ended.item and item_version.version = ended.version
"""
_ADD: Final = f"""
insert into item_version ({", ".join(_SPAN)})
select {", ".join(_SPAN)} from jsonb_populate_recordset(null::item_version, $1::text::jsonb)
"""
_TAKE_NAMES: Final = """
insert into item_name (name, item, kind)
select name, item, 'key' from unnest($1::text[], $2::text[]) as new (name, item)
on conflict (name) do update set item = excluded.item, kind = excluded.kind
"""
_FORGET: Final = """
delete from item_identifier using unnest($1::text[]) as changed (item) where item_identifier.item = changed.item
"""
_IDENTIFIERS: Final = """
insert into item_identifier (kind, value, item)
select distinct kind, value, item from unnest($1::text[], $2::text[], $3::text[]) as new (kind, value, item)
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Fold the events onto the rows they belong to: a few statements, whatever the number."""
    rows = {envelope.subject: ItemRow(envelope.subject) for envelope in envelopes}
    begun = {envelope.subject for envelope in envelopes if envelope.aggregateversion == 1}
    if standing := sorted(set(rows) - begun):
        for record in await connection.fetch(_LOAD, standing):
            rows[record["id"]] = from_record(record)
    names = _Names(connection)
    spans: list[dict[str, Any]] = []
    closed: list[tuple[str, int, Any]] = []
    open_spans: dict[str, dict[str, Any]] = {}
    for envelope in envelopes:
        before = rows[envelope.subject]
        row = rows[envelope.subject] = row_after(before, envelope)
        if (span := open_spans.get(row.id)) is not None:
            span["valid_to"] = format_instant(envelope.time)
        elif before.version:
            closed.append((row.id, before.version, envelope.time))
        open_spans[row.id] = _span(row)
        spans.append(open_spans[row.id])
        await names.follow(before, row, envelope)
    await names.write()
    written = [shown(rows[key]) for key in sorted(rows)]
    await connection.execute(_UPSERT, json.dumps(written, ensure_ascii=False))
    if closed:
        await connection.execute(_CLOSE, *(list(column) for column in zip(*closed, strict=True)))
    await connection.execute(_ADD, json.dumps(spans, ensure_ascii=False))
    if standing:
        await connection.execute(_FORGET, standing)
    found = [
        (kind, value.lower(), row.id) for row in rows.values() if row.live for kind, value in row.facts.identifiers
    ]
    if found:
        await connection.execute(_IDENTIFIERS, *(list(column) for column in zip(*sorted(found), strict=True)))


def _span(row: ItemRow) -> dict[str, Any]:
    assert row.changed_at is not None  # noqa: S101 - it has had an event
    return {
        "item": row.id,
        "version": row.version,
        "valid_from": format_instant(row.changed_at),
        "valid_to": "infinity",
        **row.facts.plain(),
        "merged_into": row.merged_into,
    }


class _Names:
    """Which names are taken: many at once; whatever else happens to names is rare and goes one by one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._taken: dict[str, str] = {}

    async def follow(self, before: ItemRow, row: ItemRow, envelope: Envelope) -> None:
        """What one event means for the names."""
        event = decode(envelope)
        name = name_of(row.facts.key)
        if isinstance(event, ConfigurationItemRegistered):
            self._taken[name] = row.id
            return
        if isinstance(event, ConfigurationItemMerged):
            await self._do("update item_name set item = $2, kind = 'alias' where item = $1", row.id, event.into)
            return
        if before.live and not row.live:
            await self._do("update item_name set kind = 'former' where item = $1", row.id)
        if row.live and not before.live:
            await self._do("update item_name set kind = 'alias' where item = $1 and kind = 'former'", row.id)
            self._taken[name] = row.id
        if (old := name_of(before.facts.key)) != name:
            await self._do("delete from item_name where name = $1 and item = $2", old, row.id)
            self._taken[name] = row.id

    async def write(self) -> None:
        """Take what was gathered."""
        if self._taken:
            names = sorted(self._taken)
            await self._connection.execute(_TAKE_NAMES, names, [self._taken[name] for name in names])
            self._taken = {}

    async def _do(self, statement: str, *values: Any) -> None:
        await self.write()
        await self._connection.execute(statement, *values)


ITEMS: Final = Projection(
    name="items",
    version=1,
    reads=ITEM_EVENTS,
    tables=(
        Table("item", ("id",)),
        Table("item_version", ("item", "version")),
        Table("item_name", ("name",)),
        Table("item_identifier", ("kind", "value", "item")),
    ),
    apply=apply,
)
