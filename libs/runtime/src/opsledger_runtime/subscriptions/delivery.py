"""Messages from JetStream in batches, each exactly after the one before, from any place that is asked for.

Owns the pull loop that stands in for FastStream's own, which loses messages (docs/adr): what it rests on in FastStream
and nats-py is private in part, pinned by exact version, and held by `tests/contract/test_faststream_behaviour.py`.
Refuses to go on after anything that could have put a message out of its turn; the caller then starts from the
checkpoint again.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from opsledger_events import subjects
from opsledger_runtime.clock import monotonic
from opsledger_runtime.subscriptions.checkpoint import Checkpoint
from opsledger_runtime.subscriptions.consumers import stream_identity
from opsledger_runtime.subscriptions.headers import read_fast
from opsledger_runtime.subscriptions.intake import MESSAGE_ID, places

WINDOW_BATCHES: Final = 2
"""How many batches are asked for at a time by who is behind."""

WINDOW_BYTES: Final = 16 * 1024 * 1024
"""Most bytes that one pull may bring: events may be 256 KiB each, and a window of them is held in memory."""

_HEARTBEAT_SECONDS: Final = 1.0
_EXPIRES_SECONDS: Final = 30.0
_HARMLESS: Final = frozenset({"100", "404", "408"})
"""Heartbeat, no messages, request timed out; any other status ends the run of deliveries, but for these two:"""
_BATCH_DONE: Final = ("409", "Batch Completed")
_ENOUGH_BYTES: Final = ("409", "Message Size Exceeds MaxBytes")
_LEFT: Final = "Nats-Pending-Messages"
_OTHERS_FIRST: Final = ("408", "Requests Pending")
_ACKNOWLEDGE_SECONDS: Final = 0.5
_SLICE: Final = 64
"""Messages read early in one go: a millisecond, for which the database's answer may have to wait."""

_NAP_SECONDS: Final = 0.002


class OutOfStep(Exception):
    """The next message cannot be known to be the next one; start from the checkpoint again."""


class Delivery:
    """One consumer's deliveries over a FastStream pull subscriber, which is duck-typed since its types are private."""

    def __init__(self, subscriber: Any, consumer: str, inbox_prefix: bytes, batch: int) -> None:
        self._subscriber = subscriber
        self._consumer = consumer
        self._inbox_prefix = inbox_prefix
        self._most = batch
        self._window = WINDOW_BATCHES * batch
        self._requested = 0
        self._once = False
        self._refused = False
        self._consumer_sequence = 0
        self._stream_sequence = 0
        self._reconnects = -1
        self._last: Msg | None = None
        self._acknowledged = 0.0
        self._unacknowledged = 0
        self.pending = 0

    @property
    def _js(self) -> JetStreamContext:
        js: JetStreamContext = self._subscriber.jetstream
        return js

    @property
    def _queue(self) -> "asyncio.Queue[Msg]":
        queue: asyncio.Queue[Msg] = self._subscriber.subscription._sub._pending_queue
        return queue

    @property
    def _connection(self) -> Any:
        return self._subscriber.connection

    async def exists(self) -> bool:
        """Whether the stream and the consumer are provisioned."""
        try:
            await self._js.consumer_info(subjects.STREAM, self._consumer)
        except NotFoundError:
            return False
        return True

    async def start_from(self, stored: Checkpoint) -> Checkpoint:
        """Set the consumer to the message after `stored`; returns the checkpoint that deliveries follow.

        On another stream, or where the message that `stored` names is not at its place (a lost tail whose sequences
        were given anew), that is the beginning, and the publication numbers tell what is already applied.

        Raises:
            NotFoundError: stream or consumer is not provisioned.
            nats.errors.Error, TimeoutError, OSError: the server is away.
        """
        self._reconnects = self._connection.stats["reconnects"]
        read_fast(self._connection)
        self._last = None
        start = await self._place(stored)
        # A new inbox: whatever is still on its way to the old one cannot be mistaken for what comes now.
        old, self._subscriber.subscription = self._subscriber.subscription, None
        if old is not None:
            with suppress(NatsError):
                await old.unsubscribe()
        self._subscriber.subscription = await self._js.pull_subscribe_bind(
            durable=self._consumer, stream=subjects.STREAM, inbox_prefix=self._inbox_prefix
        )
        await self._js.reset_consumer(subjects.STREAM, self._consumer, seq=start.stream_sequence + 1)
        self._requested = 0
        self._once = self._refused = False
        self.pending = 0
        self._consumer_sequence = 0
        self._stream_sequence = start.stream_sequence
        return start

    async def _place(self, stored: Checkpoint) -> Checkpoint:
        info = await self._js.stream_info(subjects.STREAM)
        identity = stream_identity(info)
        same = stored.stream == identity and stored.stream_sequence <= info.state.last_seq
        if same and stored.stream_sequence > 0:
            same = await self._message_id(stored.stream_sequence) == stored.message_id
        if same:
            return stored
        return Checkpoint(stored.version, identity, 0, "", stored.sequences)

    async def _message_id(self, stream_sequence: int) -> str | None:
        try:
            # Not the direct form: a replica that lags would deny a message that exists.
            found = await self._js.get_msg(subjects.STREAM, seq=stream_sequence)
        except NotFoundError:
            return None
        headers: dict[str, str] = found.headers or {}
        return headers.get(MESSAGE_ID, "")

    @property
    def behind(self) -> bool:
        """Whether more than a batch is known to wait, here or on the stream."""
        return self.pending >= self._most or self._queue.qsize() >= self._most

    async def next_batch(self) -> list[Msg]:
        """Everything that is here, at most a batch; an empty list after a heartbeat.

        Raises:
            OutOfStep: a message is missing, doubled or of another run; the connection or consumer was renewed.
            nats.errors.Error, OSError: the server is away.
        """
        batch: list[Msg] = []
        idle = self._take(batch)
        if self.behind or not batch:
            await self._ask()
        if not batch:
            idle |= self._put(await self._first(), batch)
            idle |= self._take(batch)
        if self._connection.stats["reconnects"] != self._reconnects:
            raise OutOfStep("the connection was renewed")
        if batch:
            self.pending = pending(batch[-1].reply)
        elif idle:
            self.pending = 0
            await self._acknowledge()
        return batch

    async def _first(self) -> Msg:
        # What the client's own `next_msg` does, without its task and its names for every message.
        try:
            async with asyncio.timeout(_HEARTBEAT_SECONDS * 2.5):
                return await self._queue.get()
        except TimeoutError as error:
            raise OutOfStep("heartbeats stopped") from error

    def _take(self, batch: list[Msg]) -> bool:
        """Put what is here into the batch; returns whether the server said that there is no more for now."""
        idle, queue = False, self._queue
        while len(batch) < self._most and not queue.empty():
            idle |= self._put(queue.get_nowait(), batch)
        return idle

    def _put(self, message: Msg, batch: list[Msg]) -> bool:
        source = self._subscriber.subscription._sub
        source._pending_queue.task_done()
        source._pending_size -= len(message.data)
        headers: dict[str, str] = message.headers or {}
        status = headers.get("Status")
        if status is None:
            self._check(message)
            batch.append(message)
            return False
        said = (status, headers.get("Description", ""))
        if said == _BATCH_DONE:
            return False  # said of a pull with a limit of bytes once all its messages came, each of which was counted
        if said == _ENOUGH_BYTES:
            self._requested -= int(headers.get(_LEFT, self._requested))
            return False
        if status not in _HARMLESS:
            raise OutOfStep(f"status {status} {said[1]}")
        if status != "100":
            self._refused = said == _OTHERS_FIRST or (status == "404" and self._requested == self._window)
            self._requested = 0
        return True

    def _check(self, message: Msg) -> None:
        stream_sequence, consumer_sequence = places(message.reply)
        if consumer_sequence != self._consumer_sequence + 1 or stream_sequence <= self._stream_sequence:
            raise OutOfStep(f"message {stream_sequence}/{consumer_sequence} after {self._stream_sequence}")
        self._consumer_sequence = consumer_sequence
        self._stream_sequence = stream_sequence
        self._requested -= 1

    async def _ask(self) -> None:
        """Ask for more.

        Who is behind keeps a window of messages on their way. Else one asking brings what is there when it is
        answered, and no more, so that what comes meanwhile arrives together: every message that arrives alone costs
        both sides as much as ten that arrive together.
        """
        if self.behind:
            if self._requested <= (0 if self._once else self._window // 2):
                await self._pull(self._window - self._requested, once=False)
        elif self._requested <= 0:
            await self._pull(self._window, once=not self._refused)

    async def _pull(self, count: int, *, once: bool) -> None:
        request = {
            "batch": count,
            "max_bytes": WINDOW_BYTES,
            "expires": int(_EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * 1e9),
            "no_wait": once,  # with `expires`: wait for the first, but for no others
        }
        subscription = self._subscriber.subscription
        await self._connection.publish(subscription._nms, json.dumps(request).encode(), subscription._deliver)
        self._requested = max(self._requested, 0) + count
        self._once = once
        self._refused = False

    async def read_ahead(self, read: Callable[[Msg], None]) -> None:
        """Have what waits here read before its turn, while the batch before it is written; until cancelled."""
        waiting: Any = self._queue
        done = 0
        while True:
            while done < waiting.qsize():
                for message in islice(waiting._queue, done, done + _SLICE):
                    read(message)
                    done += 1
                await asyncio.sleep(0)
            await asyncio.sleep(_NAP_SECONDS)

    async def applied(self, batch: Sequence[Msg]) -> None:
        """Acknowledge these, or somewhat later: nothing depends on when, and each acknowledgement costs its price."""
        self._last = batch[-1]
        self._unacknowledged += len(batch)
        if self._unacknowledged >= self._most or monotonic() - self._acknowledged > _ACKNOWLEDGE_SECONDS:
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        if self._last is not None:
            last, self._last = self._last, None
            self._acknowledged, self._unacknowledged = monotonic(), 0
            await last.ack()


def pending(reply: str) -> int:
    """How many messages the consumer had not been given after this one, from its acknowledgement subject (ADR-15)."""
    tokens = reply.split(".")
    return int(tokens[8] if len(tokens) == 9 else tokens[10])
