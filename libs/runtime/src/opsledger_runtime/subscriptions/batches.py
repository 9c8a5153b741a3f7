"""One batch, one transaction: the handler's writes and the checkpoint commit together or not at all (D7).

Owns what happens to a batch whose handler fails: it is run again event by event, and the one at fault is parked.
Knows nothing of NATS.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import structlog

from opsledger_runtime import ids
from opsledger_runtime.faults import MAX_LENGTH, describe, whereabouts
from opsledger_runtime.lease import LeaseLost
from opsledger_runtime.planted import planted
from opsledger_runtime.store import EventStore, Transaction
from opsledger_runtime.subscriptions import checkpoint, measures
from opsledger_runtime.subscriptions.checkpoint import Checkpoint, Guard, StepDown
from opsledger_runtime.subscriptions.intake import Entry, Plan, attribute
from opsledger_runtime.subscriptions.parking import Parked, park, parked_aggregates
from opsledger_runtime.subscriptions.subscription import Subscription
from opsledger_runtime.transient import is_timeout, is_transient

BEHIND: Final = "waits behind a parked event of the same aggregate"

_TRIES: Final = 4
"""How often one event may take too long, while the database answers others, before it is parked."""

_FIRST_PAUSE: Final = 0.25
_ANSWER_SECONDS: Final = 5.0


class Applier:
    """Applies sorted batches. `stored` is the checkpoint row as this instance knows it."""

    def __init__(self, subscription: Subscription, store: EventStore, lease: Guard) -> None:
        self._subscription = subscription
        self._store = store
        self._lease = lease
        self.stored = Checkpoint()
        self._count = measures.counted(store.context, subscription.name)
        self._log = structlog.get_logger().bind(service=store.context, subscription=subscription.name)

    async def read(self) -> Checkpoint:
        """Read the row again; it is created where there is none."""
        async with self._store.pool.acquire() as connection:
            self.stored = await checkpoint.read_or_create(
                connection, self._subscription.name, self._subscription.version
            )
        return self.stored

    async def apply(self, plan: Plan) -> None:
        """Apply a batch; returns after the commit.

        Raises:
            StepDown, LeaseLost: somebody else leads.
            Exception: a transient failure; whatever had been applied before it is committed with its checkpoint.
        """
        if plan.end == self.stored:
            return
        try:
            await self._commit(plan.entries, plan.end)
        except (StepDown, LeaseLost):
            raise
        except Exception as error:
            if is_transient(error) and not await self._is_its_own(error):
                raise
            self._log.warning("batch_failed", events=len(plan.entries), error=describe(error))
            await self._one_by_one(plan)

    async def _one_by_one(self, plan: Plan) -> None:
        """Find the event at fault. Events that nobody handles need no transaction of their own."""
        sequences = dict(self.stored.sequences)
        place = replace(plan.end, stream_sequence=self.stored.stream_sequence, message_id=self.stored.message_id)
        if plan.end.stream != self.stored.stream:
            place = replace(place, stream_sequence=0, message_id="")
        for entry in plan.entries:
            if entry.sequence is not None:
                sequences[entry.context] = entry.sequence
            if place.stream_sequence < entry.stream_sequence <= plan.end.stream_sequence:
                place = replace(place, stream_sequence=entry.stream_sequence, message_id=entry.message_id)
            if entry.envelope is None and entry.error is None:
                continue
            after = replace(place, sequences=dict(sequences))
            error = await self._alone(entry, after)
            if error is not None:
                self._log.error(
                    "event_parked",
                    event_id=entry.message_id,
                    context=entry.context,
                    sequence=entry.sequence,
                    error=describe(error),
                    where=whereabouts(error),
                )
                await self._commit([entry._replace(envelope=None, error=describe(error))], after)
        if plan.end != self.stored:
            await self._commit([], plan.end)

    async def _alone(self, entry: Entry, after: Checkpoint) -> Exception | None:
        """Apply one event; returns the failure that is its own."""
        tries = 0
        while True:
            try:
                await self._commit([entry], after)
            except (StepDown, LeaseLost):
                raise
            except Exception as error:
                if not is_transient(error):
                    return error
                if not await self._is_its_own(error):
                    raise
                tries += 1
                if tries == _TRIES:
                    return error
            else:
                return None
            await asyncio.sleep(ids.jitter(_FIRST_PAUSE * 2**tries))

    async def _is_its_own(self, error: Exception) -> bool:
        """Whether what took too long did so by itself: a server that is away or frozen does not answer anybody."""
        return is_timeout(error) and await self._database_answers()

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._store.pool.fetchval("select 1")
        except Exception:
            return False
        return True

    async def _commit(self, entries: Sequence[Entry], end: Checkpoint) -> None:
        async with self._store.transaction() as transaction:
            connection = self._store.pool if planted("checkpoint-outside-transaction") else transaction.connection
            some = await checkpoint.advance(connection, self._subscription.name, self.stored, end, self._lease)
            parked = await self._within(transaction, entries, some)
        self.stored = end
        self._count(len(entries) - parked, parked)

    async def _within(self, transaction: Transaction, entries: Sequence[Entry], some_parked: bool) -> int:
        # Read after the checkpoint row is locked, so that an operator's retry is seen either whole or not at all.
        connection = transaction.connection
        blocked = await parked_aggregates(connection, self._subscription.name) if entries and some_parked else set()
        wanted = []
        aside = []
        for entry in entries:
            if entry.error is not None:
                aside.append(_parked(entry, entry.error))
                if aside[-1].aggregate:
                    blocked.add(aside[-1].aggregate)
            elif entry.envelope is not None:
                if entry.envelope.subject in blocked:
                    aside.append(_parked(entry, BEHIND))
                else:
                    wanted.append(entry.envelope)
        await park(connection, self._subscription.name, aside)
        if wanted:
            await self._subscription.handle(transaction, wanted)
        return len(aside)


def _parked(entry: Entry, error: str) -> Parked:
    data = entry.message.data
    return Parked(
        event=_event_id(entry),
        context=entry.context,
        sequence=entry.sequence if entry.sequence is not None else -entry.stream_sequence,
        aggregate=attribute(data, "subject"),
        type=attribute(data, "type"),
        body=data,
        error=error.replace("\x00", "")[:MAX_LENGTH],
    )


def _event_id(entry: Entry) -> UUID:
    """The event's id, or one derived from its place where it has none that can be read."""
    try:
        return UUID(entry.message_id or attribute(entry.message.data, "id"))
    except ValueError:
        return ids.derived_id("unreadable", entry.context, str(entry.stream_sequence))
