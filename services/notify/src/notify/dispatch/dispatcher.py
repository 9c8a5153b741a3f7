"""The worker that empties the delivery ledger: claim, hand over, record (D8).

At least once: a crash after the hand-over is found as a claim that ran out, and the mail goes out again under the same
Message-ID. Several workers, in one process or many, share the work without knowing of one another.
"""

import asyncio
from typing import Any, Final, assert_never
from zoneinfo import ZoneInfo

import structlog

from notify.dispatch import claims
from notify.dispatch.claims import Claim
from notify.dispatch.mails import mail_of
from notify.domain.delivery import DELIVERY, RecordDelivered, RecordFailed
from notify.senders.port import Delivered, Outcome, Rejected, Sender, Throttled, Transient, Unknown
from notify.settings import NotifySettings
from opsledger_runtime import ids
from opsledger_runtime.clock import monotonic
from opsledger_runtime.store import EventStore, Metadata, Transaction
from opsledger_runtime.transient import is_transient

DRAIN_SECONDS: Final = 4.0
"""How long a stopping worker waits for mails that are on their way."""

_ACTOR: Final = "service:notify"


class Dispatcher:
    """One worker; up to `settings.parallel` mails at a time."""

    name = "dispatcher"

    def __init__(self, store: EventStore, sender: Sender, settings: NotifySettings) -> None:
        self._store = store
        self._pool: Any = store.pool
        self._sender = sender
        self._settings = settings
        self._zone = ZoneInfo(settings.time_zone)
        self._holder = ids.new_id()
        self._under_way: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._log = structlog.get_logger().bind(worker=self.name)

    async def run(self) -> None:
        """Until cancelled; then mails that are on their way get a moment to arrive and be recorded."""
        try:
            while True:
                try:
                    claimed = await self.once()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    self._log.warning("deliveries_cannot_be_claimed", error=repr(error))
                    claimed = 0
                await self._rest(claimed)
        finally:
            await self._drain()

    async def once(self) -> int:
        """Claim what is due and has a free place, start sending it; returns how many were claimed."""
        free = self._settings.parallel - len(self._under_way)
        if free <= 0:
            return 0
        found = await claims.claim(
            self._pool,
            self._holder,
            seconds=self._settings.claim_seconds,
            most=free,
            domain=self._settings.from_address.domain,
        )
        for claim in found:
            task = asyncio.create_task(self._deliver(claim), name=f"delivery {claim.id}")
            self._under_way.add(task)
            task.add_done_callback(self._done)
        return len(found)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The claim runs out and the delivery comes back.
            self._log.error("delivery_interrupted", task=task.get_name(), exc_info=error)

    async def _rest(self, claimed: int) -> None:
        if claimed and len(self._under_way) < self._settings.parallel:
            return  # there may be more
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            async with asyncio.timeout(self._settings.poll_seconds):
                await self._freed.wait()
        except TimeoutError:
            return
        self._freed.clear()

    async def _drain(self) -> None:
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    async def _deliver(self, claim: Claim) -> None:
        until = monotonic() + self._settings.claim_seconds
        outcome = await self._attempt(claim)
        wait = 0.2
        while True:
            try:
                await self._record(claim, outcome)
                return
            except Exception as error:
                # The database is away. Recording late is better than sending twice.
                if not is_transient(error) or monotonic() > until:
                    raise
                self._log.warning("outcome_not_recorded_yet", delivery=claim.id, error=repr(error))
                await asyncio.sleep(ids.jitter(wait))
                wait = min(wait * 2, 5.0)

    async def _attempt(self, claim: Claim) -> Outcome:
        if claim.attempt > len(self._settings.retry_seconds):
            return Unknown(claims.CUT_OFF)
        mail = await mail_of(self._pool, claim, self._zone)
        if isinstance(mail, Rejected):
            return mail
        return await self._sender.send(mail)

    async def _record(self, claim: Claim, outcome: Outcome) -> None:
        match outcome:
            case Delivered():
                await self._settle(
                    claim,
                    "delivered",
                    outcome.detail,
                    RecordDelivered(claim.attempt, claim.message_id, outcome.provider),
                )
            case Rejected():
                told = outcome.detail or outcome.reason
                await self._settle(claim, "rejected", told, RecordFailed(claim.attempt, outcome.reason))
            case Throttled():
                await self._later(claim, "throttled", outcome, outcome.retry_after or 0.0)
            case Transient():
                await self._later(claim, "transient", outcome, 0.0)
            case Unknown():
                await self._later(claim, "unknown", outcome, 0.0)
            case _:
                assert_never(outcome)

    async def _later(self, claim: Claim, outcome: str, why: Throttled | Transient | Unknown, least: float) -> None:
        schedule = self._settings.retry_seconds
        detail = why.detail or why.reason
        if claim.attempt >= len(schedule):
            reason = f"given up after {min(claim.attempt, len(schedule))} attempts: {why.reason}"
            await self._settle(claim, outcome, detail, RecordFailed(min(claim.attempt, len(schedule)), reason))
            return
        seconds = max(ids.jitter(schedule[claim.attempt]), least)
        async with self._pool.acquire() as connection, connection.transaction():
            # The work row before its log, as a claim does it: one order, no deadlock.
            kept = await claims.try_later(connection, claim, seconds, unknown=outcome == "unknown")
            await claims.log_outcome(connection, claim, outcome, detail)
        self._log.info(
            "delivery_postponed" if kept else "delivery_claimed_by_another",
            delivery=claim.id,
            attempt=claim.attempt,
            outcome=outcome,
            reason=why.reason,
            seconds=round(seconds, 1),
        )

    async def _settle(self, claim: Claim, outcome: str, detail: str, command: RecordDelivered | RecordFailed) -> None:
        """Record the outcome as an event. Derived ids and the first-outcome rule make a repeat harmless."""
        kind = type(command).__name__
        command_id = ids.derived_id("delivery outcome", claim.id, kind)

        async def work(transaction: Transaction) -> None:
            loaded = await self._store.history(claim.id, connection=transaction.connection)
            await transaction.execute(
                DELIVERY,
                claim.id,
                command,
                Metadata(
                    command_id=command_id,
                    actor=_ACTOR,
                    correlation_id=loaded[0].correlationid if loaded else None,
                    causation_id=str(loaded[0].id) if loaded else None,
                    traceparent=loaded[0].traceparent if loaded else None,
                ),
            )
            await transaction.flush()  # the work row before its log, as above
            await claims.log_outcome(transaction.connection, claim, outcome, detail)

        await self._store.run(work)
        reason = command.reason if isinstance(command, RecordFailed) else None
        self._log.info("delivery_settled", delivery=claim.id, attempt=claim.attempt, outcome=kind, reason=reason)
