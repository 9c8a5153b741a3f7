"""Relations as answers show them: those of an item, now or at an instant, whose both ends the caller may know of."""

from collections.abc import Sequence
from datetime import MAXYEAR, datetime
from typing import Any, Final

from cmdb.wire import RelationView
from opsledger_events.envelope import format_instant

_OF_ITEM: Final = """
select found.*, source_item.key as source_key, target_item.key as target_key from (
  select * from relation where source = $1 union select * from relation where target = $1) as found
join item as source_item on source_item.id = found.source
join item as target_item on target_item.id = found.target
where ($2::text[] is null or (source_item.organisation = any($2) and target_item.organisation = any($2)))
  and case when $3::timestamptz is null then found.valid_to = 'infinity'
      else found.valid_from <= $3 and $3 < found.valid_to end
  and ($4::text is null or (found.relation, found.id) > ($4, $5::text))
order by found.relation, found.id limit $6
"""


async def relations_of(
    connection: Any,
    item: str,
    organisations: Sequence[str] | None,
    at: datetime | None,
    limit: int,
    after: Sequence[str] | None = None,
) -> list[Any]:
    """Up to `limit` records, after the position (relation, id); `at` None: those that stand."""
    found: list[Any] = await connection.fetch(_OF_ITEM, item, organisations, at, *(after or (None, None)), limit)
    return found


def relation_view(record: Any) -> RelationView:
    """A record of `relations_of`."""
    told = {name: record[name] for name in RelationView.model_fields if not name.startswith("valid_")}
    ended = record["valid_to"] if record["valid_to"].year < MAXYEAR else None
    return RelationView(
        **told,
        valid_from=format_instant(record["valid_from"]),
        valid_to=None if ended is None else format_instant(ended),
    )
