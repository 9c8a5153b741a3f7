"""Parked events: set aside with their error so that others go on, and never dropped in silence (D7).

Owns `es.parked` and the operator's three actions on it. An event is parked because it failed, could not be read, or
came behind one of its aggregate. Every action locks the checkpoint row, so none of them races with a running batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from opsledger_events import Envelope, InvalidEnvelope
from opsledger_runtime.errors import NotFound
from opsledger_runtime.faults import describe
from opsledger_runtime.store import EventStore
from opsledger_runtime.subscriptions import checkpoint
from opsledger_runtime.subscriptions.intake import Rejected, Selector
from opsledger_runtime.subscriptions.subscription import Subscription
from opsledger_runtime.transient import is_transient

_ORDER: Final = "context, sequence < 0, abs(sequence)"
"""A context's order; events without a number come after the others, by their place in the stream."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One event set aside. `sequence` is negative for a message that carries no number: its place in the stream."""

    event: UUID
    context: str
    sequence: int
    aggregate: str
    type: str
    body: bytes
    error: str
    parked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry did: how many went through, how many are left, and the error that stopped it."""

    applied: int
    left: int
    error: str | None = None


async def park(connection: Any, subscription: str, events: Sequence[Parked]) -> None:
    """Set events aside, in the caller's transaction. One that is there already stays as it is."""
    if not events:
        return
    await connection.execute(
        """
        insert into es.parked (subscription, event, context, sequence, aggregate, type, body, error)
        select $1, * from unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::text[])
        on conflict do nothing
        """,
        subscription,
        [event.event for event in events],
        [event.context for event in events],
        [event.sequence for event in events],
        [event.aggregate for event in events],
        [event.type for event in events],
        [event.body for event in events],
        [event.error for event in events],
    )


async def parked_aggregates(connection: Any, subscription: str) -> set[str]:
    """Aggregates whose next events must wait behind a parked one."""
    rows = await connection.fetch(
        "select distinct aggregate from es.parked where subscription = $1 and aggregate <> ''", subscription
    )
    return {row["aggregate"] for row in rows}


async def count_parked(connection: Any, subscription: str) -> int:
    """How many events of a subscription are parked."""
    found: int = await connection.fetchval("select count(*) from es.parked where subscription = $1", subscription)
    return found


async def list_parked(connection: Any, subscription: str | None = None, *, limit: int = 200) -> list[Parked]:
    """Parked events, those of one aggregate together and in order."""
    rows = await connection.fetch(
        "select event, context, sequence, aggregate, type, body, error, parked_at from es.parked"
        " where $1::text is null or subscription = $1 order by"
        f" subscription, aggregate, {_ORDER} limit $2",
        subscription,
        limit,
    )
    return [Parked(**dict(row)) for row in rows]


async def retry_parked(store: EventStore, subscription: Subscription, aggregate: str) -> Retried:
    """Hand an aggregate's parked events to the handler in order, one transaction each; stop at the first that fails.

    Once none is left, the aggregate's next events are handled as they come.

    Raises:
        asyncpg.PostgresError, OSError: the database is away; nothing was lost, try again.
    """
    log = structlog.get_logger().bind(subscription=subscription.name, aggregate=aggregate)
    applied = 0
    while True:
        row = None
        try:
            async with store.transaction() as transaction:
                connection = transaction.connection
                await checkpoint.lock(connection, subscription.name)
                row = await connection.fetchrow(
                    "select context, sequence, body from es.parked where subscription = $1 and aggregate = $2"
                    f" order by {_ORDER} limit 1",
                    subscription.name,
                    aggregate,
                )
                if row is None:
                    return Retried(applied, 0)
                await connection.execute(
                    "delete from es.parked where subscription = $1 and context = $2 and sequence = $3",
                    subscription.name,
                    row["context"],
                    row["sequence"],
                )
                envelope = _readable(Selector(subscription), row["body"])
                if envelope is not None:
                    await subscription.handle(transaction, [envelope])
        except Exception as error:
            if row is None or is_transient(error):
                raise
            left = await _still_parked(store, subscription.name, aggregate, row, describe(error))
            log.warning("parked_event_failed_again", applied=applied, left=left, error=describe(error))
            return Retried(applied, left, describe(error))
        applied += 1
        log.info("parked_event_applied", context=row["context"], sequence=row["sequence"])


def _readable(selector: Selector, body: bytes) -> Envelope | None:
    """The parked event if it is wanted, None if a newer release does not want it any more."""
    try:
        envelope = Envelope.from_json(body)
    except InvalidEnvelope as error:
        raise Rejected(str(error)) from error
    return envelope if selector.accept(envelope) else None


async def _still_parked(store: EventStore, subscription: str, aggregate: str, row: Any, error: str) -> int:
    await store.pool.execute(
        "update es.parked set error = $4 where subscription = $1 and context = $2 and sequence = $3",
        subscription,
        row["context"],
        row["sequence"],
        error,
    )
    left: int = await store.pool.fetchval(
        "select count(*) from es.parked where subscription = $1 and aggregate = $2", subscription, aggregate
    )
    return left


async def discard_parked(store: EventStore, subscription: str, context: str, sequence: int, *, reason: str) -> Parked:
    """Give up one parked event, for a stated reason; those behind it stay until they are retried.

    Raises:
        NotFound: no such event is parked.
        ValueError: no reason was given.
    """
    if not reason.strip():
        raise ValueError("a discarded event needs a reason")
    async with store.transaction() as transaction:
        await checkpoint.lock(transaction.connection, subscription)
        row = await transaction.connection.fetchrow(
            "delete from es.parked where subscription = $1 and context = $2 and sequence = $3"
            " returning event, context, sequence, aggregate, type, body, error, parked_at",
            subscription,
            context,
            sequence,
        )
        if row is None:
            raise NotFound(f"no event {context}:{sequence} is parked in {subscription}")
    found = Parked(**dict(row))
    structlog.get_logger().warning(
        "parked_event_discarded",
        subscription=subscription,
        context=context,
        sequence=sequence,
        aggregate=found.aggregate,
        type=found.type,
        event_id=str(found.event),
        error=found.error,
        reason=reason,
    )
    return found
