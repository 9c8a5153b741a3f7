"""Finding items: by id, key or alias, many at once, and by who answers for them. Every query is scoped in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cmdb.domain.facts import name_of
from cmdb.projections.item_row import ItemRow, from_record
from opsledger_runtime.errors import NotFound

_LOCATE: Final = """
select found.* from (select $1::text as id, 0 as rank union all select item, 1 from item_name where name = $2) as named
cross join lateral (select * from item where id = named.id offset 0) as found
where $3::text[] is null or organisation = any($3)
order by rank limit 1
"""
_BY_ID: Final = """
select found.* from unnest($1::text[]) as wanted (id)
cross join lateral (select * from item where id = wanted.id offset 0) as found
"""
_BY_NAME: Final = """
select wanted.name as by_name, named.kind as by_kind, found.* from unnest($1::text[]) as wanted (name)
cross join lateral (select item, kind from item_name where name = wanted.name offset 0) as named
cross join lateral (select * from item where id = named.item offset 0) as found
"""


async def locate(connection: Any, given: str, organisations: Sequence[str] | None) -> ItemRow:
    """The item with this id, key or alias that the caller may know of.

    Raises:
        NotFound: there is none, or not for these organisations.
    """
    record = await connection.fetchrow(_LOCATE, given, name_of(given), organisations)
    if record is None:
        raise NotFound(f"There is no item “{given[:100]}”.", code="no_such_item")
    return from_record(record)


async def by_id(connection: Any, ids: Iterable[str]) -> dict[str, ItemRow]:
    """Those of the items that there are."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {record["id"]: from_record(record) for record in await connection.fetch(_BY_ID, wanted)}


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for; `kind`: `key`, `alias`, or `former` (its item is retired, and it may be taken)."""

    kind: str
    row: ItemRow


async def by_name(connection: Any, names: Iterable[str]) -> dict[str, Named]:
    """What lower-cased names stand for, where they stand for something."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    rows = await connection.fetch(_BY_NAME, wanted)
    return {record["by_name"]: Named(record["by_kind"], from_record(record)) for record in rows}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; None means everything. `prefix` of the key, `text` in key or name."""

    organisations: Sequence[str] | None = None
    item_class: str | None = None
    owner_team: str | None = None
    environment: str | None = None
    criticality: str | None = None
    lifecycle: str | None = None
    organisation: str | None = None
    prefix: str | None = None
    text: str | None = None


async def page(connection: Any, filters: Filters, limit: int, after: Sequence[str] | None) -> list[Any]:
    """Up to `limit` records that are not merged, by key, after the position (key in lower case, id)."""
    values: list[Any] = []
    wanted = ["merged_into is null"]

    def narrow(condition: str, *given: Any) -> None:
        places = []
        for value in given:
            values.append(value)
            places.append(f"${len(values)}")
        wanted.append(condition.format(*places))

    if filters.organisations is not None:
        narrow("organisation = any({}::text[])", list(filters.organisations))
    for name in ("item_class", "owner_team", "environment", "criticality", "lifecycle", "organisation"):
        if (value := getattr(filters, name)) is not None:
            narrow(f"{name} = {{}}", value)
    if filters.prefix is not None:
        narrow("starts_with(lower(key), {}::text)", name_of(filters.prefix))
    if filters.text is not None:
        narrow("position({}::text in lower(key || ' ' || name)) > 0", filters.text.lower())
    if after is not None:
        narrow("(lower(key), id) > ({}::text, {}::text)", *after)
    found: list[Any] = await connection.fetch(
        f"select *, lower(key) as place from item where {' and '.join(wanted)} order by lower(key), id limit {limit:d}",
        *values,
    )
    return found
