"""Versions of configuration items, their classes, and the services among them."""

from collections.abc import Iterable
from typing import Any, Final

from reporting.domain.items import Items
from reporting.domain.rows import ClassRow, ItemRow
from reporting.projections.columns import ORGANISATION, Naming, RowTable

_COLUMNS: Final = (
    "item_id, version, key, name, item_class, environment, criticality, lifecycle, organisation, owner_team,"
    " administrator, database_administrator, source, merged_into, event_id, valid_from"
)
_PRESENT: Final = f"""
select found.* from unnest($1::text[]) as wanted (item) cross join lateral
  (select {_COLUMNS} from dim_configuration_item where item_id = wanted.item and is_current offset 0) as found
"""
_CLASSES: Final = """
select item_class, name_zh, name_en, needs_administrator, needs_database_administrator, is_service, was_service,
  revision, defined_at
from dim_item_class where item_class = any($1::text[])
"""


class _ItemTable(RowTable[ItemRow]):
    """As other tables, with a key for each version from its own map."""

    def writing(self, parameter: int) -> str:
        statement = super().writing(parameter)
        statement = statement.replace("(item_id, version,", "(configuration_item_key, item_id, version,", 1)
        return statement.replace(
            "select told.item_id", "select reporting.key_of_item(told.item_id, told.version), told.item_id", 1
        )


ITEMS: Final = _ItemTable(
    ItemRow,
    "dim_configuration_item",
    "item_row",
    key=2,
    names=(
        ORGANISATION,
        Naming("owner_team", "team"),
        Naming("administrator", "person"),
        Naming("database_administrator", "person"),
    ),
    lasting=("valid_to",),
)
UNKNOWN: Final = """
unknown_class as (
  insert into dim_item_class values ('', '未知', 'Unknown', false, false, false, false, 0, null)
  on conflict (item_class) do nothing
),
unknown_item as (
  insert into dim_configuration_item values (
    '', 1, -1, '', 'Unknown (未知)', '', null, null, null, null, -1, null, -1, null, -1, null, -1, null, null, null,
    '-infinity', 'infinity', true
  ) on conflict (item_id, version) do nothing
)
"""
"""Parts of a statement: the unknown members, which a copy that is being filled begins without."""

_DEFINE: Final = """
insert into dim_item_class
select * from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::boolean[], $7::boolean[],
  $8::bigint[], $9::timestamptz[])
on conflict (item_class) do update set
  name_zh = excluded.name_zh, name_en = excluded.name_en, needs_administrator = excluded.needs_administrator,
  needs_database_administrator = excluded.needs_database_administrator, is_service = excluded.is_service,
  was_service = excluded.was_service, revision = excluded.revision, defined_at = excluded.defined_at
"""

# A service has a row for each key it ever had, so that the rows do not depend on where batches begin.
_NAMES: Final = """
select distinct i.key
from dim_configuration_item i join dim_item_class c using (item_class)
where c.was_service and i.item_id <> '' and (i.item_id = any($1::text[]) or i.item_class = any($2::text[]))
"""
_NAME: Final = """
with added as (
  insert into reporting.service_key (service) select unnest($1::text[]) on conflict (service) do nothing
  returning service, service_key
)
insert into dim_service (service, service_key, name)
select service, service_key, service from added
union all
select service, service_key, service from reporting.service_key where service = any($1::text[])
on conflict (service) do nothing
"""
_REGISTER: Final = """
update dim_service as s set
  name = coalesce(i.name, s.service), is_registered = i.item_id is not null, item_id = i.item_id,
  item_class = i.item_class, environment = i.environment, criticality = i.criticality, lifecycle = i.lifecycle,
  organisation = i.organisation, owner_team = i.owner_team
from unnest($1::text[]) as told (service) left join lateral (
  select i.* from dim_configuration_item i join dim_item_class c using (item_class)
  where i.key = told.service and i.is_current and i.merged_into is null and c.is_service
  order by i.item_id limit 1
) as i on true
where s.service = told.service
"""


async def load(connection: Any, items: Iterable[str], classes: Iterable[str]) -> Items:
    """The present versions and the classes that exist."""
    present = {row["item_id"]: ItemRow(*row) for row in await connection.fetch(_PRESENT, list(items))}
    known = {row["item_class"]: ClassRow(*row) for row in await connection.fetch(_CLASSES, list(classes))}
    return Items(present=present, classes=known)


async def follow_services(connection: Any, items: Items) -> None:
    """Write the classes, and what the items written before say of services."""
    defined = items.classes.values()
    columns: list[list[Any]] = [[getattr(row, name) for row in defined] for name in ClassRow.__dataclass_fields__]
    await connection.execute(_DEFINE, *columns)
    touched = [item_id for item_id, _ in items.versions], list(items.classes)
    names = [row["key"] for row in await connection.fetch(_NAMES, *touched)]
    if names:
        await connection.execute(_NAME, names)
        await connection.execute(_REGISTER, names)
