"""Putting numbered events on the stream, and reading back where the stream is (D2).

Owns what a message looks like and how the broker is asked to keep the order. Refuses to have more than one
publication on its way: an answer is waited for before the next one is sent.
"""

import asyncio
import json
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import nats.errors
import nats.js.errors
import pydantic_core
from nats.aio.client import Client

from opsledger_events.envelope import CONTENT_TYPE
from opsledger_events.subjects import STREAM, context_subjects, event_subject
from opsledger_runtime import ids, ledger
from opsledger_runtime.clock import monotonic
from opsledger_runtime.numbering import Numbered
from opsledger_runtime.planted import planted

T = TypeVar("T")

HASH_HEADER: Final = "Opsledger-Hash"
SALT_HEADER: Final = "Opsledger-Salt"
BATCH_EVENTS: Final = 500
"""The broker takes 1000 messages in one atomic batch (ADR-50)."""
BATCH_BYTES: Final = 4 * 1024 * 1024

_KEPT_EVENTS: Final = 4 * BATCH_EVENTS
_KEPT_BYTES: Final = 4 * BATCH_BYTES
_ANSWER_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2
_REST_SECONDS: Final = 0.1
_NO_MESSAGE: Final = 10037
_WRONG_SEQUENCE: Final = 10071
_DUPLICATE_IN_BATCH: Final = 10201


class BrokerAway(Exception):
    """The broker, its JetStream or the stream cannot be reached; try again later."""


class NotOurs(Exception):
    """The last message on the context's subjects is none that a relay publishes."""


class Refused(Exception):
    """The stream is not where we thought; read its position again."""


class Remembered(Refused):
    """The stream says that it has the event; true unless the position says otherwise."""


class Position(NamedTuple):
    """The context's last message on the stream: its publication number, stream sequence and hash; zeros for none."""

    no: int
    sequence: int
    hash: bytes


class Kept:
    """Numbered events that are not published yet, an unbroken row of them, so that they need not be read again.

    Holds at most 2000 events or 16 MiB; beyond that publishing is behind, and reads the store in order.
    """

    def __init__(self) -> None:
        self._events: deque[Numbered] = deque()
        self._bytes = 0

    def add(self, events: Sequence[Numbered]) -> None:
        """Remember what was just numbered; what does not follow it is forgotten."""
        if events and self._events and events[0].prevhash != self._events[-1].hash:
            self.forget()
        self._events.extend(events)
        self._bytes += sum(len(event.body) for event in events)
        if len(self._events) > _KEPT_EVENTS or self._bytes > _KEPT_BYTES:
            self.forget()

    def after(self, no: int) -> Sequence[Numbered]:
        """The events right after `no`, at most a batch; none where the next one is not here."""
        while self._events and self._events[0].no <= no:
            self._bytes -= len(self._events.popleft().body)
        if not self._events or self._events[0].no != no + 1:
            return ()
        return [self._events[index] for index in range(min(len(self._events), BATCH_EVENTS))]

    def forget(self) -> None:
        """After any doubt about what the store holds."""
        self._events.clear()
        self._bytes = 0


class Publisher:
    """Publishes one context's events, each publication expecting the context's last sequence on the stream."""

    def __init__(self, context: str, nats: Client) -> None:
        self._nats = nats
        self._filter = context_subjects(context)
        self._jetstream = nats.jetstream(timeout=_ANSWER_SECONDS)
        self._pipelined = planted("pipelined-relay")

    async def position(self) -> Position:
        """The last own message on the stream, from the stream's leader.

        Raises:
            BrokerAway: nobody answered, or there is no stream.
            NotOurs: the message there cannot be one of a relay.
        """
        try:
            message = await self._answer(self._jetstream.get_last_msg(STREAM, self._filter))
        except nats.js.errors.NotFoundError as error:
            if error.err_code == _NO_MESSAGE:
                return Position(0, 0, b"")
            raise BrokerAway(f"there is no stream {STREAM}: provision it") from error
        try:
            no = int(pydantic_core.from_json(message.data or b"")["sequence"])
            return Position(no, message.seq or 0, bytes.fromhex((message.headers or {})[HASH_HEADER]))
        except (ValueError, KeyError, TypeError) as error:
            raise NotOurs(f"message {message.seq} of {STREAM} ({message.subject})") from error

    async def publish(self, position: Position, events: Sequence[Numbered]) -> Position:
        """Publish the first of `events`, which follow `position`: one singly, more as one atomic batch.

        As many as a batch takes; returns the position of the last.

        Raises:
            BrokerAway: no answer; whether the stream has them is unknown.
            Refused: the stream has none of them from this call; its position is another, or they do not follow it.
        """
        if self._pipelined:
            return await self._window(position, events)
        taken = _batch(events)
        _follow(position, taken)
        messages = [_message(event) for event in taken]
        expected = {
            "Nats-Expected-Last-Subject-Sequence": str(position.sequence),
            "Nats-Expected-Last-Subject-Sequence-Subject": self._filter,
        }
        messages[0][2].update(expected)
        if len(messages) > 1:
            batch = ids.new_id().hex
            for index, (_, _, headers) in enumerate(messages, 1):
                headers["Nats-Batch-Id"] = batch
                headers["Nats-Batch-Sequence"] = str(index)
            messages[-1][2]["Nats-Batch-Commit"] = "1"
        answer = await self._answer(self._send(messages))
        return Position(taken[-1].no, answer["seq"], taken[-1].hash)

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until the client has reconnected."""
        deadline = monotonic() + seconds
        connected = self._nats.is_connected
        # The client has no event to wait for that is ours alone.
        while (remaining := deadline - monotonic()) > 0 and (connected or not self._nats.is_connected):  # noqa: ASYNC110
            await asyncio.sleep(min(remaining, _REST_SECONDS))

    async def _send(self, messages: Sequence[tuple[str, bytes, dict[str, str]]]) -> dict[str, Any]:
        *leading, (subject, data, headers) = messages
        for earlier, payload, fields in leading:
            await self._nats.publish(earlier, payload, headers=fields)
        reply = await self._nats.request(subject, data, timeout=_ANSWER_SECONDS, headers=headers)
        answer: dict[str, Any] = json.loads(reply.data)
        if (error := answer.get("error")) is not None:
            if error.get("err_code") == _WRONG_SEQUENCE:
                raise Refused(error["description"])
            if error.get("err_code") == _DUPLICATE_IN_BATCH:
                raise Remembered(error["description"])
            raise BrokerAway(f"{error.get('err_code')}: {error.get('description')}")
        if answer.get("duplicate"):
            raise Remembered(f"the stream says it has the event at {answer['seq']}")
        return answer

    async def _answer(self, asking: Coroutine[Any, Any, T]) -> T:
        """Wait for an answer no longer than the connection lives, since the client itself waits the whole timeout."""
        if not self._nats.is_connected:
            asking.close()
            raise BrokerAway("not connected")
        connection = self._nats.stats["reconnects"]
        task = asyncio.create_task(asking)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_LOOK_SECONDS)
                if not self._nats.is_connected or self._nats.stats["reconnects"] != connection:
                    break
            if not task.done():
                raise BrokerAway("the connection was lost")
            return task.result()
        except nats.js.errors.NotFoundError:
            raise
        except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
            raise BrokerAway(repr(error)) from error
        finally:
            task.cancel()

    async def _window(self, position: Position, events: Sequence[Numbered]) -> Position:
        """The planted bug: many on their way at once, expecting nothing; goes on behind the last before a failure."""

        async def one(event: Numbered) -> None:
            await asyncio.sleep(ids.jitter(0.004))
            subject, data, headers = _message(event)
            await self._answer(self._nats.request(subject, data, timeout=_ANSWER_SECONDS, headers=headers))

        reached = position
        for event, result in zip(events, await asyncio.gather(*map(one, events), return_exceptions=True), strict=True):
            if isinstance(result, BaseException):
                if reached is position:
                    raise result
                break
            reached = Position(event.no, position.sequence, event.hash)
        return reached


def _follow(position: Position, events: Sequence[Numbered]) -> None:
    no, hash_ = position.no, position.hash if position.no else ledger.GENESIS
    for event in events:
        if event.no != no + 1 or event.prevhash != hash_:
            raise Refused(f"publication {event.no} does not follow {no} on the stream")
        no, hash_ = event.no, event.hash


def _batch(events: Sequence[Numbered]) -> Sequence[Numbered]:
    size = 0
    for index, event in enumerate(events[:BATCH_EVENTS]):
        size += len(event.body)
        if size > BATCH_BYTES and index:
            return events[:index]
    return events[:BATCH_EVENTS]


def _message(event: Numbered) -> tuple[str, bytes, dict[str, str]]:
    attributes = pydantic_core.from_json(event.body)
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Nats-Msg-Id": attributes["id"],
        "ce-type": attributes["type"],
        HASH_HEADER: event.hash.hex(),
        SALT_HEADER: event.salt.hex(),
    }
    if (traceparent := attributes.get("traceparent")) is not None:
        headers["traceparent"] = traceparent
    subject = event_subject(attributes["type"], attributes["partitionkey"])
    return subject, ledger.wire(event.body, event.no), headers
