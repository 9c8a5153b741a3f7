"""Items that may be the same: they share an identifier, or class and name once case, width and spaces are gone."""

from collections.abc import Sequence
from typing import Any, Final

_SHARED: Final = """
with live as (
  select id, key, item_class, name, registered_at from item
  where merged_into is null and lifecycle <> 'retired' and ($1::text[] is null or organisation = any($1))
), shared as (
  select 'identifier' as reason, kind || '=' || value as what, item as id from item_identifier
  where kind <> 'ip' and kind not like 'source:%'
  union all
  select 'name', item_class || '=' || regexp_replace(lower(normalize(name, nfkc)), '[\\s_-]', '', 'g'), id from live
)
select reason, what, array_agg(id order by registered_at, key, id) as ids,
  array_agg(key order by registered_at, key, id) as keys
from shared join live using (id)
where $2::text is null or (reason, what) > ($2, $3::text)
group by reason, what having count(distinct id) > 1
order by reason, what limit $4
"""


async def page(
    connection: Any, organisations: Sequence[str] | None, limit: int, after: Sequence[str] | None
) -> list[Any]:
    """Up to `limit` groups by what they share, after the position (reason, what)."""
    found: list[Any] = await connection.fetch(_SHARED, organisations, *(after or (None, None)), limit)
    return found
