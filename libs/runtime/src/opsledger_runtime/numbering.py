"""Numbering: the one order in which a context's events leave, and the hash chain over it (D2, D11).

Owns `es.publication` and the emptying of `es.outbox`. Knows no broker: it goes on while the broker is away. Refuses to
number without the lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from opsledger_runtime import ledger
from opsledger_runtime.clock import machine_time
from opsledger_runtime.lease import Lease, held_sql

LIMIT: Final = 1000
"""How many events one transaction numbers."""

LIMIT_BYTES: Final = 8 * 1024 * 1024
"""How many bytes of events are read at once; the one that passes the limit is the last."""

COUNTED: Final = 200_000
"""Beyond this an outbox is simply long; counting on would slow the database that is behind already."""

# The sums know each body's length without reading it. One row comes in any case, for the end of the chain.
_WAITING: Final = """
select l.no, l.hash, s.position, s.event, s.body, s.salt, s.digest
from (select 1) as always
left join (select no, hash from es.publication order by no desc limit 1) as l on true
left join (
  select * from (
    select *, sum(octet_length(body)) over (order by position) - octet_length(body) as before
    from (select o.position, o.event, e.body, e.salt, e.digest
          from es.outbox o join es.event e on e.id = o.event order by o.position limit $1) as first
  ) as summed where before < $2
) as s on true
order by s.position
"""
_NUMBER: Final = f"""
with held as materialized ({held_sql(1)}),
numbered as (
  insert into es.publication (no, event, prevhash, hash)
  select * from unnest($5::bigint[], $6::uuid[], $7::bytea[], $8::bytea[]) where exists (select from held)
),
gone as (delete from es.outbox where position = any($9::bigint[]) and exists (select from held))
select exists (select from held)
"""
_BEYOND: Final = """
select no, event, body, salt, prevhash, hash
from (select *, sum(octet_length(body)) over (order by no) - octet_length(body) as before
      from (select p.no, p.event, e.body, e.salt, p.prevhash, p.hash
            from es.publication p join es.event e on e.id = p.event where p.no > $1 order by p.no limit $2) as first)
  as summed
where before < $3 order by no
"""
_KNOWN: Final = """
select coalesce((select no from es.publication order by no desc limit 1), 0) as last,
       (select hash from es.publication where no = $1) as hash
"""
_BACKLOG: Final = """
select coalesce((select no from es.publication order by no desc limit 1), 0) as numbered,
       (select count(*) from (select from es.outbox limit $2) as waiting) as outbox,
       least((select e.recordedtime from es.outbox o join es.event e on e.id = o.event order by o.position limit 1),
             (select e.recordedtime from es.publication p join es.event e on e.id = p.event where p.no = $1 + 1))
         as oldest,
       clock_timestamp() as time
"""
# Sessions of this database alone: `pg_snapshot_xmin` would also wait for writers of every other database of the
# server. And of this role alone: only the service's own role appends (every replica logs in as it), while a backup, a
# vacuum or somebody's open psql must not silence the relay. A transaction leaves this list in the same instant in
# which its rows become visible.
_WRITERS: Final = """
select backend_xid::text as xid from pg_stat_activity
where datname = current_database() and usename = session_user and backend_xid is not null
"""


class Behind(Exception):
    """The store ends before what is known to be on the stream: this database has lost events."""


class Numbered(NamedTuple):
    """An event with its publication number: all that publishing needs, so that nothing is read again."""

    no: int
    event: UUID
    body: bytes
    salt: bytes
    prevhash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Pass:
    """What one transaction numbered. `last` is the context's last number; `more`: the limit cut it short."""

    numbered: Sequence[Numbered]
    last: int
    more: bool


class Backlog(NamedTuple):
    """How much has not left yet.

    `oldest` is when the oldest of it was recorded, in domain time. `clock_off`: by how many seconds at least this
    machine's clock is ahead of the database's; negative: behind.
    """

    numbered: int
    outbox: int
    oldest: datetime | None
    clock_off: float


async def number(connection: Any, lease: Lease, least: int = 0) -> Pass:
    """Number the visible outbox rows, in order of position; call outside a transaction.

    One statement reads, another writes and commits, holding the lease meanwhile. What another process numbered between
    the two has taken the numbers that this one would give, and the statement fails as a whole.

    An aggregate's later event always has the later position: its writer had seen the earlier one committed. `least`
    is a number known to have been given.

    Raises:
        LeaseLost: somebody else numbers.
        Behind: the store does not have publication `least`.
        asyncpg.UniqueViolationError: somebody else numbered the same events.
    """
    rows = await connection.fetch(_WAITING, LIMIT, LIMIT_BYTES)
    no, previous = (rows[0]["no"], rows[0]["hash"]) if rows[0]["no"] is not None else (0, ledger.GENESIS)
    if no < least:
        raise Behind(f"the store ends at {no}, the stream has {least}")
    if rows[0]["position"] is None:
        return Pass((), no, False)
    numbered: list[Numbered] = []
    for _, _, _, event, body, salt, digest in rows:
        no += 1
        hash_ = ledger.chain(previous, no, digest)
        numbered.append(Numbered(no, event, body, salt, previous, hash_))
        previous = hash_
    nos, events, _, _, before, after = zip(*numbered, strict=True)
    positions = [row["position"] for row in rows]
    lease.confirm(await connection.fetchval(_NUMBER, *lease.claim(), nos, events, before, after, positions))
    more = len(rows) == LIMIT or sum(len(one.body) for one in numbered) >= LIMIT_BYTES
    return Pass(numbered, no, more)


async def beyond(connection: Any, no: int, limit: int) -> list[Numbered]:
    """The events after publication `no`, in order; at most `limit` and about `LIMIT_BYTES`."""
    rows = await connection.fetch(_BEYOND, no, limit, LIMIT_BYTES)
    return [Numbered(*row) for row in rows]


async def known(connection: Any, no: int) -> tuple[int, bytes | None]:
    """The last number given so far (0 before the first), and the hash of publication `no` if there is one."""
    row = await connection.fetchrow(_KNOWN, no)
    return row["last"], row["hash"]


async def backlog(connection: Any, published: int, counted: int = COUNTED) -> Backlog:
    """What waits to be numbered, counted up to `counted`, and what is numbered but not published beyond `published`."""
    asked = machine_time()
    row = await connection.fetchrow(_BACKLOG, published, counted)
    early, late = ((instant - row["time"]).total_seconds() for instant in (asked, machine_time()))
    return Backlog(row["numbered"], row["outbox"], row["oldest"], max(early, 0.0) + min(late, 0.0))


async def number_of(source: "asyncpg.Pool[asyncpg.Record]", event: UUID) -> int | None:
    """The publication number of an event, if it has one yet."""
    found: int | None = await source.fetchval("select no from es.publication where event = $1", event)
    return found


async def writers(connection: Any) -> frozenset[str]:
    """The transactions of this database that may still commit something; call outside a transaction."""
    return frozenset(row["xid"] for row in await connection.fetch(_WRITERS))
