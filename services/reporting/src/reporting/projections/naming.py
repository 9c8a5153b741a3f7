"""Dimensions whose members any event may name: each gets a key for ever, and a row for facts to join.

Surrogate keys come from the key maps in `reporting`, named with their schema because a rebuild must find the same
keys there. A copy that is being filled begins without its unknown member.
"""

from collections.abc import Iterable
from typing import Final

DIMENSIONS: Final = ("team", "organisation", "service", "person")
"""The dimensions, in the order of their parameters: an array of names each, from the first parameter on."""

_NAMING: Final = """
told_{d} as materialized (select name, no from unnest(${at}::text[]) with ordinality as told (name, no)),
added_{d} as (
  insert into reporting.{d}_key ({d})
  select name from told_{d} where not exists (select from reporting.{d}_key as known where known.{d} = told_{d}.name)
  on conflict ({d}) do update set {d} = excluded.{d}
  returning {d} as name, {d}_key as key
),
keyed_{d} as materialized (
  select told_{d}.name, told_{d}.no, coalesce(known.{d}_key, added_{d}.key) as key
  from told_{d} left join reporting.{d}_key as known on known.{d} = told_{d}.name left join added_{d} using (name)
),
{d}_keys as materialized (select array_agg(key order by no) as keys from keyed_{d}),
named_{d} as (
  insert into dim_{d} ({d}, {d}_key, name)
  select name, key, name from keyed_{d} union all select '', -1, 'Unknown (未知)'
  on conflict ({d}) do nothing
)
"""

NAMING: Final = ", ".join(_NAMING.format(d=dimension, at=at) for at, dimension in enumerate(DIMENSIONS, 1))
"""Parts of a statement; those after it find the keys in `<dimension>_keys (keys)`, in the order of the names."""


def numbered(names: Iterable[str | None]) -> tuple[list[str], dict[str | None, int | None]]:
    """The names as a parameter, and the place of each; no name and the empty one have none."""
    told = [name for name in names if name]
    places: dict[str | None, int | None] = {None: None, "": None}
    places.update((name, place) for place, name in enumerate(told, 1))
    return told, places
