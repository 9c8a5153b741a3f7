"""Who does not answer for what (R34): items in use without an owner team, an administrator or a database administrator.

In use is what is neither planned nor retired. Which people a class needs by name, its definition says.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

MISSING: Final = ("owner_team", "administrator", "database_administrator")

_IN_USE: Final = """
select item.*, lower(item.key) as place, array_remove(array[
  case when item.owner_team is null then 'owner_team' end,
  case when class_definition.needs_administrator and item.administrator is null then 'administrator' end,
  case when class_definition.needs_database_administrator and item.database_administrator is null
    then 'database_administrator' end], null) as missing
from item join class_definition on class_definition.key = item.item_class
where item.merged_into is null and item.lifecycle in ('in_stock', 'operational')
  and ($1::text[] is null or item.organisation = any($1))
"""
_PAGE: Final = f"""
select * from ({_IN_USE}) as used
where cardinality(missing) > 0 and ($2::text is null or $2 = any(missing)) and ($3::text is null or item_class = $3)
  and ($4::text is null or (place, id) > ($4, $5::text))
order by place, id limit $6
"""
_COUNTS: Final = f"""
select item_class, one as missing, count(*) as items
from ({_IN_USE}) as used cross join lateral unnest(missing) as one group by item_class, one order by item_class, one
"""
_TOTAL: Final = f"select count(*) from ({_IN_USE}) as used where cardinality(missing) > 0"


async def page(
    connection: Any,
    organisations: Sequence[str] | None,
    missing: str | None,
    item_class: str | None,
    limit: int,
    after: Sequence[str] | None,
) -> list[Any]:
    """Up to `limit` items with what is missing, by key, after the position (key in lower case, id)."""
    found: list[Any] = await connection.fetch(
        _PAGE, organisations, missing, item_class, *(after or (None, None)), limit
    )
    return found


async def counts(connection: Any, organisations: Sequence[str] | None) -> tuple[int, list[Any]]:
    """How many items lack something, and how many of each class lack what."""
    total: int = await connection.fetchval(_TOTAL, organisations)
    return total, await connection.fetch(_COUNTS, organisations)


async def gauge(connection: Any) -> Mapping[Any, float]:
    """How many items lack what, for the metric; 0 where none does."""
    found = dict.fromkeys(((name,) for name in MISSING), 0.0)
    for row in await connection.fetch(_COUNTS, None):
        found[(row["missing"],)] += row["items"]
    return found
