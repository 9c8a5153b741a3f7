"""What depends on what, and what of it is failing: questions to `ci_relation`, `ci` and `incident_queue`.

Every answer is bounded; where the network is larger, what is farthest is left out.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from incident.domain.grouping import Edge, Failing, Network

EDGES: Final = 20_000
FAILING: Final = 2000
SHOWN: Final = 50
"""So many affected items or children are listed."""

_CLOSURE: Final = """
  select * from unnest($1::text[])
  union
  select edge.{there} from {name} cross join lateral
    (select {there} from ci_relation where {here} = {name}.item offset 0) as edge
"""
_DOWN: Final = _CLOSURE.format(name="down", here="dependent", there="dependency")
_UP: Final = _CLOSURE.format(name="up", here="dependency", there="dependent")
_EDGES_DOWN: Final = f"""
(select down.item, edge.dependency from down cross join lateral
  (select dependency from ci_relation where dependent = down.item offset 0) as edge limit {EDGES})
"""
_EDGES_UP: Final = f"""
(select edge.dependent, up.item from up cross join lateral
  (select dependent from ci_relation where dependency = up.item offset 0) as edge limit {EDGES})
"""
_AROUND: Final = f"with recursive down (item) as ({_DOWN}), up (item) as ({_UP}) {_EDGES_DOWN} union all {_EDGES_UP}"
_ABOVE: Final = f"with recursive up (item) as ({_UP}) {_EDGES_UP}"
_FAILED: Final = f"""
select distinct queued.id, queued.number, wanted.item, queued.parent
from unnest($1::text[]) as wanted (item)
cross join lateral (select name from ci_name where item = wanted.item offset 0) as named
cross join lateral (
  select id, number, parent from incident_queue
  where lower(configuration_item) = named.name and alert_fingerprint is not null
    and state in ('new', 'assigned', 'in_progress', 'on_hold') offset 0) as queued
order by queued.number, queued.id, wanted.item limit {FAILING}
"""
_KEYS: Final = """
select found.* from unnest($1::text[]) as wanted (item)
cross join lateral (select item, key from ci where item = wanted.item offset 0) as found
"""
_AFFECTED: Final = """
select found.key, found.name, found.item_class, wanted.distance, coalesce(kind.is_service, false) as is_service,
  count(*) over () as whole
from unnest($1::text[], $2::integer[]) as wanted (item, distance)
cross join lateral (select * from ci where item = wanted.item offset 0) as found
left join ci_class as kind on kind.key = found.item_class
where $3::text[] is null or found.organisation is null or found.organisation = any($3::text[])
order by is_service desc, wanted.distance, found.key limit $4
"""
_CHILDREN: Final = """
select id, number, title, state, configuration_item, count(*) over () as whole from incident_queue
where parent = $1 and ($2::text[] is null or organisation = any($2::text[])) order by number limit $3
"""


async def around(connection: Any, items: Sequence[str]) -> list[Edge]:
    """The dependencies of all that these items depend on and of all that depends on them."""
    return [(row[0], row[1]) for row in await connection.fetch(_AROUND, items)]


async def failing(connection: Any, items: Iterable[str]) -> list[Failing]:
    """The open incidents of these items that came by alert, by number."""
    return [Failing(*row) for row in await connection.fetch(_FAILED, sorted(items))]


async def keys(connection: Any, items: Iterable[str]) -> dict[str, str]:
    """Keys by id; an item whose key is unknown has none."""
    return {row["item"]: row["key"] for row in await connection.fetch(_KEYS, sorted(items))}


async def affected(connection: Any, item: str, organisations: list[str] | None) -> list[Any]:
    """Records of what depends on an item: business services first, then the nearest; each says how many there are."""
    above = Network([(row[0], row[1]) for row in await connection.fetch(_ABOVE, [item])])
    ways = above.dependents(item)
    if not ways:
        return []
    distances = [len(way) - 1 for way in ways.values()]
    found: list[Any] = await connection.fetch(_AFFECTED, list(ways), distances, organisations, SHOWN)
    return found


async def children(connection: Any, incident: str, organisations: list[str] | None) -> list[Any]:
    """Records of the incidents grouped under one, by number; each says how many there are."""
    found: list[Any] = await connection.fetch(_CHILDREN, incident, organisations, SHOWN)
    return found
