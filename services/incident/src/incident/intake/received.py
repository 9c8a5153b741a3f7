"""The working tables of the intake: what is known of each alert, how often it came, and for how long that is kept.

Owns `alert` and `alert_intake`. Judges nothing. Every function runs in the transaction of its batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from incident.domain.commands import AlertState

RETENTION: Final = timedelta(days=90)
"""For how long counts and what was kept aside outlive the last that came."""

_FORGOTTEN_AT_ONCE: Final = 1000

_LOCK: Final = """
insert into alert (source, fingerprint) select $1, fingerprint from unnest($2::text[]) as new (fingerprint)
order by fingerprint
on conflict (source, fingerprint) do update set source = excluded.source
returning fingerprint, starts_at, state, ends_at, ended_received, incident, changes,
  case when incident is null then nextval('incident_number') end
"""
# Each is looked up by itself: a join may read all that a source ever sent, when the planner takes the table for small.
_SEEN: Final = """
select distinct fingerprint, starts_at, status
from unnest($2::text[], $3::timestamptz[], $4::text[]) as new (fingerprint, starts_at, status)
cross join lateral (
  select from alert_intake a
  where a.source = $1 and a.fingerprint = new.fingerprint and a.starts_at = new.starts_at and a.status = new.status
  limit 1
) as found
"""
# The rows of `alert` are there and locked; to insert them again finds each by its key, which an update may not.
_KEEP: Final = """
with kept as (
  insert into alert (source, fingerprint, starts_at, state, ends_at, ended_received, incident, changes)
  select $1, new.* from unnest($8::text[], $9::timestamptz[], $10::text[], $11::timestamptz[], $12::timestamptz[],
    $13::text[], $14::bigint[]) as new (fingerprint, starts_at, state, ends_at, ended_received, incident, changes)
  on conflict (source, fingerprint) do update
  set starts_at = excluded.starts_at, state = excluded.state, ends_at = excluded.ends_at,
    ended_received = excluded.ended_received, incident = excluded.incident, changes = excluded.changes
)
insert into alert_intake (source, fingerprint, starts_at, status, incident, count, first_received, last_received)
select $1, fingerprint, starts_at, status, incident, count, $2, $2
from unnest($3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::bigint[])
  as new (fingerprint, starts_at, status, incident, count)
order by fingerprint, starts_at, status, incident
on conflict (source, fingerprint, starts_at, status, incident) do update
set count = alert_intake.count + excluded.count, last_received = excluded.last_received
"""
# Rows that another batch is counting just now are not old, and waiting for each other would be a deadlock.
_FORGET: Final = """
delete from alert_intake where ctid = any(array(
  select ctid from alert_intake where last_day < $1 order by last_day limit $2 for update skip locked
))
"""

Key = tuple[str, datetime, str]
"""Fingerprint, the sender's start, firing or resolved."""


@dataclass(slots=True)
class Known:
    """The latest known firing of a fingerprint.

    `ends_at` is its latest end by the sender's clock, `ended_received` when that end was taken in, `incident` the one
    that it last opened, `changes` how often an incident was told of it.
    """

    starts_at: datetime | None = None
    state: AlertState | None = None
    ends_at: datetime | None = None
    ended_received: datetime | None = None
    incident: str | None = None
    changes: int = 0


async def lock(connection: Any, source: str, fingerprints: set[str]) -> tuple[dict[str, Known], list[int]]:
    """What is known of each, and a number for each without an incident, ascending.

    Nobody else takes these in until the transaction ends.
    """
    rows = await connection.fetch(_LOCK, source, sorted(fingerprints))
    known = {fingerprint: Known(*facts) for fingerprint, *facts, _ in rows}
    return known, sorted(row[-1] for row in rows if row[-1] is not None)


async def seen(connection: Any, source: str, keys: set[Key]) -> set[Key]:
    """Those of the keys that came before."""
    if not keys:
        return set()
    rows = await connection.fetch(_SEEN, source, *columns(list(keys), 3))
    return {(row["fingerprint"], row["starts_at"], row["status"]) for row in rows}


async def keep(
    connection: Any,
    source: str,
    now: datetime,
    counts: Mapping[tuple[Key, str | None], int],
    changed: Mapping[str, Known],
) -> None:
    """Add to how often each state of an alert came, by the incident that it belongs to; remember what is known now."""
    came = [(*key, incident, number) for (key, incident), number in counts.items()]
    known = [
        (name, one.starts_at, one.state, one.ends_at, one.ended_received, one.incident, one.changes)
        for name, one in changed.items()
    ]
    await connection.execute(_KEEP, source, now, *columns(came, 5), *columns(known, 7))


async def forget(connection: Any, now: datetime) -> None:
    """Drop a bounded number of counts that nobody added to for `RETENTION`, by whole days."""
    await connection.execute(_FORGET, (now - RETENTION).date(), _FORGOTTEN_AT_ONCE)


async def received_count(connection: Any, incident: str) -> int:
    """How often the alert of an incident came firing."""
    query = "select coalesce(sum(count), 0)::bigint from alert_intake where incident = $1 and status = 'firing'"
    return int(await connection.fetchval(query, incident))


def columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as one array for each column."""
    return [[row[index] for row in rows] for index in range(width)]
