"""The checkpoint row: how far a subscription is, moved in the transaction that holds the handler's writes (D7).

Owns `es.checkpoint`. Refuses to move a row that is not as its reader left it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

from opsledger_runtime.caught_up import Applied
from opsledger_runtime.clock import monotonic
from opsledger_runtime.lease import held_sql
from opsledger_runtime.subscriptions.subscription import Subscription


class StepDown(Exception):
    """Somebody else moved the checkpoint: whoever sees this no longer leads and forgets what it read."""


class Guard(Protocol):
    """What is used of a lease inside a statement."""

    def claim(self) -> tuple[str, UUID, int, bool]: ...
    def confirm(self, held: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A subscription's place.

    `stream` is the identity of the JetStream stream, `stream_sequence` and `message_id` the last message there that
    need not be read again, `sequences` the last publication number applied by context.
    """

    version: int = 0
    stream: str = ""
    stream_sequence: int = 0
    message_id: str = ""
    sequences: Mapping[str, int] = field(default_factory=dict)


async def read(connection: Any, subscription: str) -> Checkpoint | None:
    """The row, or None before the first event."""
    row = await connection.fetchrow(
        "select version, stream, stream_sequence, message_id, sequences::text as sequences"
        " from es.checkpoint where subscription = $1",
        subscription,
    )
    if row is None:
        return None
    return Checkpoint(
        row["version"], row["stream"], row["stream_sequence"], row["message_id"], json.loads(row["sequences"])
    )


async def read_or_create(connection: Any, subscription: str, version: int) -> Checkpoint:
    """The row; a new one at the beginning where there is none."""
    await connection.execute(
        "insert into es.checkpoint (subscription, version) values ($1, $2) on conflict do nothing",
        subscription,
        version,
    )
    found = await read(connection, subscription)
    assert found is not None  # noqa: S101 - inserted above, and nobody deletes it
    return found


_ADVANCE: Final = f"""
with held as materialized ({held_sql(10)}),
moved as (
  update es.checkpoint
     set stream = $2, stream_sequence = $3, message_id = $4, sequences = $5::text::jsonb
   where subscription = $1 and stream = $6 and stream_sequence = $7 and message_id = $8
     and sequences = $9::text::jsonb and exists (select from held)
  returning 1
)
select exists (select from held) as held, exists (select from moved) as moved,
       exists (select from es.parked where subscription = $1) as parked
"""


async def advance(connection: Any, subscription: str, old: Checkpoint, new: Checkpoint, lease: Guard) -> bool:
    """Move the row from `old` to `new`; holds the row's lock and the lease until the transaction ends.

    Returns whether anything may be parked. False is certain: only who holds the lease sets events aside, and whoever
    held it before had ended when it changed hands. True may be out of date, since the statement may have waited for
    the row while an operator's retry held it: what is parked is to be read after this.

    Raises:
        LeaseLost: the lease has changed hands.
        StepDown: the row is not at `old`.
    """
    found = await connection.fetchrow(
        _ADVANCE,
        subscription,
        new.stream,
        new.stream_sequence,
        new.message_id,
        json.dumps(dict(new.sequences)),
        old.stream,
        old.stream_sequence,
        old.message_id,
        json.dumps(dict(old.sequences)),
        *lease.claim(),
    )
    lease.confirm(found["held"])
    if not found["moved"]:
        raise StepDown(f"the checkpoint of {subscription} is not at {old.stream_sequence}")
    return bool(found["parked"])


async def lock(connection: Any, subscription: str) -> None:
    """Hold the row, so that no batch of the subscription commits meanwhile."""
    await connection.execute("select 1 from es.checkpoint where subscription = $1 for update", subscription)


async def applied(connection: Any, subscriptions: Sequence[Subscription]) -> Applied:
    """The last number of each context that all its subscriptions have applied, in one statement.

    One snapshot, so that an event is either not applied yet or seen to be parked.
    """
    contexts = sorted({context for found in subscriptions for context in found.contexts})
    rows = await connection.fetch(
        """
        select subscription, sequences::text as sequences, array(
                 select context from unnest($2::text[]) as asked (context)
                  where exists (select from es.parked p
                                 where p.subscription = c.subscription and p.context = asked.context)) as parked
          from es.checkpoint c where subscription = any($1::text[])
        """,
        [found.name for found in subscriptions],
        contexts,
    )
    standing = {row["subscription"]: json.loads(row["sequences"]) for row in rows}
    lowest = {
        context: min(
            standing.get(found.name, {}).get(context, 0) for found in subscriptions if context in found.contexts
        )
        for context in contexts
    }
    return Applied(lowest, frozenset(context for row in rows for context in row["parked"]))


async def wait_applied(pool: Any, subscriptions: Sequence[str], context: str, no: int, timeout: float) -> bool:
    """Whether all these subscriptions have applied number `no` of `context` within `timeout` seconds.

    For read-your-writes: only subscriptions that read the context may be named, since others never get there.
    """
    if not subscriptions or no <= 0:
        return True
    names = list(set(subscriptions))
    deadline = monotonic() + timeout
    pause = 0.004
    while True:
        there = await pool.fetchval(
            "select count(*) from es.checkpoint"
            " where subscription = any($1::text[]) and (sequences ->> $2)::bigint >= $3",
            names,
            context,
            no,
        )
        if there == len(names):
            return True
        left = deadline - monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, 0.05)
