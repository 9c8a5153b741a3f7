"""Read model `incident_queue` (inline): one row per incident, for lists and for finding an incident by its number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import pydantic_core

from incident.domain.state import IncidentEvent, State
from incident.projections import incident_title
from incident.projections.incident_row import COLUMNS, IncidentRow, after, folded, from_record, to_record
from opsledger_events import Envelope
from opsledger_runtime.errors import NotFound
from opsledger_runtime.projections import Projection, Table

Sort = Literal["-opened", "opened", "priority"]
Grouped = Literal["all", "hide", "only"]

# Each by its key, whatever the planner believes of the table: a plan made while it was empty would scan it for ever.
_LOAD: Final = (
    "select found.* from unnest($1::text[]) as wanted (key) cross join lateral"
    " (select * from incident_queue where id = wanted.key offset 0) as found"
)
_UPSERT: Final = f"""
insert into incident_queue ({", ".join(COLUMNS)})
select {", ".join(COLUMNS)} from jsonb_populate_recordset(null::incident_queue, $1::text::jsonb)
on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "id")}
"""

_LOOKED_THROUGH: Final = 5_000
"""Rows in order in which a word is looked for before it is taken for a rare one: some 3 ms."""

_ORDERS: Final[dict[str, tuple[tuple[str, ...], str, tuple[type, ...]]]] = {
    "-opened": (("opened_at desc", "number desc"), "(opened_at, number) < ({})", (datetime, str)),
    "opened": (("opened_at", "number"), "(opened_at, number) > ({})", (datetime, str)),
    "priority": (("priority", "opened_at", "number"), "(priority, opened_at, number) > ({})", (int, datetime, str)),
}


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Fold the events onto the rows they belong to: one statement to read, one to write, whatever the number."""
    rows = {envelope.subject: IncidentRow(envelope.subject) for envelope in envelopes}
    standing = sorted(
        {envelope.subject for envelope in envelopes} - {e.subject for e in envelopes if e.aggregateversion == 1}
    )
    if standing:
        for record in await connection.fetch(_LOAD, standing):
            rows[record["id"]] = from_record(record)
    for envelope in envelopes:
        rows[envelope.subject] = after(rows[envelope.subject], envelope)
    written = [to_record(rows[key]) for key in sorted(rows)]
    await connection.execute(_UPSERT, pydantic_core.to_json(written).decode())


INCIDENT_QUEUE: Final = Projection(
    name="incident_queue",
    version=1,
    reads=frozenset(event.type_name for event in IncidentEvent.__args__),
    tables=(Table("incident_queue", key=("id",)),),
    apply=apply,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; None and empty mean everything. `own`: the requester who looks."""

    organisations: list[str] | None = None
    own: str | None = None
    state: tuple[str, ...] = ()
    priority: tuple[int, ...] = ()
    team: str | None = None
    assignee: str | None = None
    organisation: str | None = None
    service: str | None = None
    configuration_item: str | None = None
    number: str | None = None
    q: str | None = None
    grouped: Grouped = "all"


async def find(connection: Any, filters: Filters, sort: Sort, limit: int, seen: Sequence[Any] | None) -> list[Any]:
    """Up to `limit` records in order, after the last one `seen`: its `position` without the sort."""
    values: list[Any] = []
    wanted: list[str] = []

    def narrow(condition: str, value: Any) -> None:
        values.append(value)
        wanted.append(condition.format(f"${len(values)}"))

    if filters.organisations is not None:
        narrow("organisation = any({}::text[])", filters.organisations)
    if filters.own is not None:
        narrow("requester = {}", filters.own)
    if filters.state:
        # Written out: a plan for any states at all does not know that it may use the index of those that are open.
        named = ", ".join(f"'{state}'" for state in sorted({State(state).value for state in filters.state}))
        wanted.append(f"state in ({named})")
    if filters.priority:
        narrow("priority = any({}::integer[])", list(filters.priority))
    for name in ("team", "assignee", "organisation", "service", "configuration_item", "number"):
        if (value := getattr(filters, name)) is not None:
            narrow(f"{name} = {{}}", value)
    if filters.grouped != "all":
        wanted.append("parent is null" if filters.grouped == "hide" else "parent is not null")
    order, following, _ = _ORDERS[sort]
    if seen is not None:
        marks = ", ".join(f"${len(values) + index + 1}" for index in range(len(seen)))
        values.extend(seen)
        wanted.append(following.format(marks))
    where = " and ".join(wanted) or "true"
    if filters.q:
        return await _search(connection, where, values, order, limit, folded(filters.q))
    found: list[Any] = await connection.fetch(
        f"select * from incident_queue where {where} order by {', '.join(order)} limit {limit:d}", *values
    )
    return found


async def _search(
    connection: Any, where: str, values: Sequence[Any], order: Sequence[str], limit: int, words: str
) -> list[Any]:
    """Those whose title contains `words`.

    Words that many titles contain fill a page from the first rows in order; how many do is not known beforehand. All
    others are few enough to be fetched whole by what their titles consist of, and then put in order.
    """
    ordered = ", ".join(order)
    first = f"select * from incident_queue where {where} order by {ordered} limit {_LOOKED_THROUGH:d}"
    found: list[Any] = await connection.fetch(
        f"select * from ({first}) as first"
        f" where position(${len(values) + 1}::text in title_folded) > 0 order by {ordered} limit {limit:d}",
        *values,
        words,
    )
    if len(found) == limit:
        return found
    titled, parts = incident_title.containing(words, len(values))
    apart = ordered.replace("opened_at", "titled_at").replace("number", "titled_number")
    before = apart if "priority" not in order else "titled_at"
    # The offsets keep the inner parts whole: first in order where that can be, then each row by its key, so that no
    # more rows are read than are shown, whatever the planner expects.
    rare: list[Any] = await connection.fetch(
        f"with titled as materialized ({titled}) select queued.*"
        f" from (select * from titled order by {before} offset 0) as titled cross join lateral"
        " (select * from incident_queue where number = titled_number offset 0) as queued"
        f" where {where} order by {apart} limit {limit:d}",
        *values,
        *parts,
    )
    return rare


def position(sort: Sort, record: Any) -> list[Any]:
    """Where in the order a record stands; the sort is part of it, so that a cursor fits only its own order."""
    return [sort, *(record[name.split()[0]] for name in _ORDERS[sort][0])]


def kinds(sort: Sort) -> tuple[type, ...]:
    """The types of `position`'s values."""
    return (str, *_ORDERS[sort][2])


async def locate(connection: Any, id_or_number: str, organisations: list[str] | None, own: str | None = None) -> Any:
    """The record of an incident that the caller may know of; with `own`, only one that this requester reported.

    Raises:
        NotFound: there is none, or not for these organisations or this requester.
    """
    record = await connection.fetchrow(
        "select * from incident_queue where (id = $1 or number = $1)"
        " and ($2::text[] is null or organisation = any($2::text[])) and ($3::text is null or requester = $3)",
        id_or_number,
        organisations,
        own,
    )
    if record is None:
        raise NotFound("There is no such incident.")
    return record
