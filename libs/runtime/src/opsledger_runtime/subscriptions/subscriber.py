"""The worker of one subscription: leads while it holds the lease, and applies every event exactly once (D7).

Owns the order of things: lease, checkpoint, deliveries, transaction, acknowledgement. Never acknowledges before the
commit, and never needs an acknowledgement to have arrived: whatever happens, it starts from the checkpoint again.
"""

import asyncio
import types
from collections.abc import Sequence
from typing import Any, Final

import structlog
from faststream import AckPolicy, Context
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.message import NatsBatchMessage
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from opsledger_events import subjects
from opsledger_runtime import ids
from opsledger_runtime.clock import monotonic
from opsledger_runtime.faults import describe
from opsledger_runtime.lease import Lease, LeaseLost
from opsledger_runtime.pace import Pace
from opsledger_runtime.planted import planted
from opsledger_runtime.store import EventStore
from opsledger_runtime.subscriptions import checkpoint, measures, parking
from opsledger_runtime.subscriptions.batches import Applier
from opsledger_runtime.subscriptions.checkpoint import Checkpoint, StepDown
from opsledger_runtime.subscriptions.consumers import Side, consumer_config, durable
from opsledger_runtime.subscriptions.delivery import Delivery, OutOfStep
from opsledger_runtime.subscriptions.intake import Ahead, Plan, Selector, sort_out
from opsledger_runtime.subscriptions.subscription import Subscription
from opsledger_runtime.transient import is_transient

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 5.0
_LEAST_SECONDS: Final = 0.012
_MOST_SECONDS: Final = 0.06
"""From the beginning of a batch to the next: what comes within it shares a transaction."""
_RESCAN_FIRST: Final = 0.2
_RESCAN_LONGEST: Final = 30.0


class Subscriber:
    """Runs one subscription. Several may share a broker; each process of a service runs one, one of them leads."""

    def __init__(
        self,
        subscription: Subscription,
        store: EventStore,
        broker: NatsBroker,
        lease: Lease,
        context: str,
        *,
        side: Side = "a",
    ) -> None:
        self.subscription = subscription
        self.name = f"subscription:{subscription.name}"
        self._store = store
        self._lease = lease
        self._labels = (context, subscription.name)
        self._behind = measures.BEHIND.labels(*self._labels)
        self._selector = Selector(subscription)
        self._applier = Applier(subscription, store, lease)
        self._log = structlog.get_logger().bind(service=context, subscription=subscription.name)
        self._following = Checkpoint()
        self._ahead: Ahead | None = None
        self._missed: tuple[str, int] | None = None
        self._delay = _FIRST_DELAY
        self._rescan_at = 0.0
        self._rescan_delay = _RESCAN_FIRST
        self._failure: BaseException | None = None
        self._batch: Sequence[Any] = ()
        self._blocked: str | None = None
        self._leading = False
        self._stock = planted("stock-batch-loop")
        consumer = durable(context, subscription.name, side)
        inbox_prefix = f"_INBOX_{context}.".encode()
        pull: Any = broker.subscriber  # the overloads do not cover config and pull_sub together
        subscriber: Any = pull(
            subjects.context_subjects(subscription.contexts[0]),
            stream=JStream(subjects.STREAM, declare=False),
            durable=consumer,
            config=consumer_config(context, subscription, side),
            pull_sub=PullSub(batch_size=subscription.batch, timeout=1.0, batch=True),
            ack_policy=AckPolicy.ACK if self._stock else AckPolicy.MANUAL,
            decoder=_raw_bodies,
            inbox_prefix=inbox_prefix,
            title=consumer,
            description=f"{context}: {subscription.name}",
        )
        if not self._stock:
            # The loop below stands in for FastStream's; middlewares and the rest of its way of a message stay.
            subscriber._consume_pull = types.MethodType(_no_loop, subscriber)
        subscriber(self._handle_stock if self._stock else self._handle)
        self._faststream = subscriber
        self._delivery = Delivery(subscriber, consumer, inbox_prefix, subscription.batch)

    async def run(self) -> None:
        """Lead whenever the lease is held; returns only when cancelled, the running batch whole or undone."""
        await self._lease.run(self._lead)

    async def applied(self) -> dict[str, int]:
        """The last publication number applied, by context; 0 where none was."""
        found = await checkpoint.read(self._store.pool, self.subscription.name)
        sequences = found.sequences if found is not None else {}
        return {context: sequences.get(context, 0) for context in self.subscription.contexts}

    async def status(self) -> dict[str, Any]:
        """How far it is, for operators. `blocked` says what it waits for, `rebuild_needed` that its version changed."""
        found = await checkpoint.read(self._store.pool, self.subscription.name)
        sequences = found.sequences if found is not None else {}
        return {
            "name": self.subscription.name,
            "sequences": {context: sequences.get(context, 0) for context in self.subscription.contexts},
            "stream_sequence": found.stream_sequence if found is not None else 0,
            "parked": await parking.count_parked(self._store.pool, self.subscription.name),
            "leading": self._leading,
            "blocked": self._blocked,
            "rebuild_needed": found is not None and found.version != self.subscription.version,
        }

    async def _lead(self, lease: Lease) -> None:
        self._leading = True
        measures.LEADING.labels(*self._labels).set(1)
        self._delay = _FIRST_DELAY
        try:
            while True:
                try:
                    await self._follow(lease)
                except (StepDown, LeaseLost) as error:
                    self._log.warning("subscription_stepped_down", reason=str(error))
                    raise LeaseLost(str(error)) from error
                except OutOfStep as error:
                    self._log.info("subscription_resynchronised", reason=str(error))
                except NotFoundError:
                    self._block("stream or consumer is not provisioned")
                except Exception as error:
                    if not is_transient(error):
                        raise
                    self._block(f"waits and tries again: {describe(error)}")
                    measures.FAILURES.labels(*self._labels).inc()
                await asyncio.sleep(ids.jitter(self._delay))
                self._delay = min(self._delay * 2, _LONGEST_DELAY)
        finally:
            self._leading = False
            measures.LEADING.labels(*self._labels).set(0)
            await self._stop()

    def _block(self, reason: str) -> None:
        if self._blocked != reason:
            self._log.warning("subscription_blocked", reason=reason)
        self._blocked = reason

    async def _follow(self, lease: Lease) -> None:
        """Start from the checkpoint and apply what comes, until anything is out of step."""
        await self._ready()
        if self._stock:
            await asyncio.Event().wait()
        stored = await self._applier.read()
        if stored.version != self.subscription.version:
            self._log.warning("subscription_needs_rebuild", stands=stored.version, wanted=self.subscription.version)
        if not lease.held:
            raise LeaseLost(lease.name)  # before the consumer is touched: it may be somebody else's by now
        self._selector.forget()
        self._following = await self._delivery.start_from(stored)
        if self._following is not stored and stored.stream:
            self._log.warning(
                "stream_read_from_the_beginning",
                was=stored.stream,
                at=stored.stream_sequence,
                now=self._following.stream,
            )
        self._ahead = None
        measures.RESYNCS.labels(*self._labels).inc()
        pace = Pace(_LEAST_SECONDS, _MOST_SECONDS)
        while True:
            if not self._delivery.behind:
                await pace.rest()
            batch = await self._delivery.next_batch()
            if not lease.held:
                raise LeaseLost(lease.name)
            if batch:
                pace.begin()
                await self._consume(batch)
                pace.end()
            else:
                self._fine()
            # Only at the end of the stream: starting over earlier would keep other contexts from ever getting there.
            if self._ahead is not None and not self._delivery.pending and monotonic() >= self._rescan_at:
                raise OutOfStep("looks for the missing events again")

    async def _ready(self) -> None:
        """Start FastStream's subscriber once the consumer is there: it would make one of its own otherwise."""
        if self._faststream.running:
            return
        if not await self._delivery.exists():
            raise NotFoundError
        await self._faststream.start()

    async def _consume(self, batch: Sequence[Any]) -> None:
        """Through FastStream's middlewares to `_handle`, whose failure they log and swallow."""
        self._failure = RuntimeError("the batch did not reach its handler")
        self._batch = batch
        await self._faststream.consume(batch)
        if self._failure is not None:
            raise self._failure

    async def _handle(self, body: list[Any]) -> None:
        # Having FastStream hand the message over would cost a thread's round trip for every batch.
        try:
            await self._apply(self._batch)
        except (Exception, asyncio.CancelledError) as error:
            self._failure = error
            raise
        self._failure = None
        await self._delivery.applied(self._batch)

    async def _handle_stock(self, body: list[Any], message: NatsBatchMessage = Context("message")) -> None:  # noqa: B008
        await self._apply(message.raw_message)

    async def _apply(self, batch: Sequence[Any]) -> None:
        if self._stock:
            self._following = await self._applier.read()
        plan = sort_out(
            self._selector, batch, self._following, standing=self._ahead is not None, contiguous=not self._stock
        )
        await self._write(plan)
        self._following = plan.end
        self._behind.set(self._delivery.pending)
        if plan.ahead is not None and self._ahead is None:
            self._missing(plan.ahead)
        self._fine()

    async def _write(self, plan: Plan) -> None:
        """Apply it; who is behind reads the next messages while the database is busy with these."""
        if not self._delivery.behind:
            await self._applier.apply(plan)
            return
        reading = asyncio.create_task(self._delivery.read_ahead(self._selector.read_early))
        try:
            await self._applier.apply(plan)
        finally:
            reading.cancel()

    def _fine(self) -> None:
        self._delay = _FIRST_DELAY
        if self._ahead is None:
            self._blocked = None

    def _missing(self, ahead: Ahead) -> None:
        """Events are missing: the relay publishes them again sooner or later; until then look again and again."""
        again = self._missed == (ahead.context, ahead.applied)
        self._rescan_delay = min(self._rescan_delay * 2, _RESCAN_LONGEST) if again else _RESCAN_FIRST
        self._rescan_at = monotonic() + self._rescan_delay
        self._ahead = ahead
        self._missed = (ahead.context, ahead.applied)
        self._blocked = f"{ahead.context} {ahead.applied + 1} to {ahead.seen - 1} are missing"
        measures.GAPS.labels(*self._labels, ahead.context).inc()
        self._log.error("sequence_gap", context=ahead.context, applied=ahead.applied, seen=ahead.seen)

    async def _stop(self) -> None:
        tasks = [task for task in getattr(self._faststream, "tasks", ()) if not task.done()]
        try:
            await self._faststream.stop()
        except (NatsError, OSError) as error:
            self._log.info("subscription_stopped_without_server", error=repr(error))
            self._faststream.subscription = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _raw_bodies(message: NatsBatchMessage) -> list[bytes]:
    """Bytes as they came: one that cannot be decoded must not fail the others."""
    body: Any = message.body
    return list(body)


async def _no_loop(subscriber: Any) -> None:
    """What FastStream starts in place of its own loop: nothing."""
