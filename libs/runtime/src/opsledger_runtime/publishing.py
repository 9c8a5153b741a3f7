"""Putting numbered events on the stream, and reading back where the stream is (D2).

Owns how the broker is asked to keep the order. Refuses to have more than one publication on its way: an answer is
waited for before the next one is sent.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import nats.errors
import nats.js.errors
import pydantic_core
from nats.aio.client import Client

from opsledger_events.subjects import STREAM, context_subjects
from opsledger_runtime import ids, ledger
from opsledger_runtime.clock import monotonic
from opsledger_runtime.messages import HASH_HEADER, Message, message
from opsledger_runtime.numbering import Numbered
from opsledger_runtime.planted import planted
from opsledger_runtime.wire import BrokerAway, Wire

T = TypeVar("T")

BATCH_EVENTS: Final = 500
"""The broker takes 1000 messages in one atomic batch (ADR-50)."""
BATCH_BYTES: Final = 4 * 1024 * 1024
_LEAST_BATCH: Final = 6
"""Fewer go one after another: a small batch costs the broker as much processor time as seven single messages."""

_ANSWER_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2
_REST_SECONDS: Final = 0.1
_NO_MESSAGE: Final = 10037
_WRONG_SEQUENCE: Final = 10071
_DUPLICATE_IN_BATCH: Final = 10201


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


class Publisher:
    """Publishes one context's events, each publication expecting the context's last sequence on the stream."""

    def __init__(self, context: str, nats: Client) -> None:
        self._nats = nats
        self._filter = context_subjects(context)
        self._jetstream = nats.jetstream(timeout=_ANSWER_SECONDS)
        self._wire = Wire(nats)
        self._pipelined = planted("pipelined-relay")

    async def position(self) -> Position:
        """The last own message on the stream, from the stream's leader.

        Raises:
            BrokerAway: nobody answered, or there is no stream.
            NotOurs: the message there cannot be one of a relay.
        """
        try:
            found = await self._answer(self._jetstream.get_last_msg(STREAM, self._filter))
        except nats.js.errors.NotFoundError as error:
            if error.err_code == _NO_MESSAGE:
                return Position(0, 0, b"")
            raise BrokerAway(f"there is no stream {STREAM}: provision it") from error
        try:
            no = int(pydantic_core.from_json(found.data or b"")["sequence"])
            return Position(no, found.seq or 0, bytes.fromhex((found.headers or {})[HASH_HEADER]))
        except (ValueError, KeyError, TypeError) as error:
            raise NotOurs(f"message {found.seq} of {STREAM} ({found.subject})") from error

    async def publish(self, position: Position, events: Sequence[Numbered]) -> Position:
        """Publish the first of `events`, which follow `position`: as one atomic batch, or a few one after another.

        As many as a batch takes; returns the position of the last.

        Raises:
            BrokerAway: no answer; whether the stream has them is unknown.
            Refused: the stream is elsewhere, or they do not follow; of a batch it has none from this call, of a few
                perhaps the first.
        """
        if self._pipelined:
            return await self._window(position, events)
        taken = _batch(events)
        _follow(position, taken)
        for together in (taken,) if len(taken) >= _LEAST_BATCH else zip(taken):
            answer = await self._ask(self._messages(position, together))
            position = Position(together[-1].no, answer["seq"], together[-1].hash)
        return position

    def _messages(self, position: Position, events: Sequence[Numbered]) -> Iterator[Message]:
        batch = ids.new_id().hex if len(events) > 1 else None
        for index, event in enumerate(events, 1):
            found = message(event)
            if index == 1:
                found.headers["Nats-Expected-Last-Subject-Sequence"] = str(position.sequence)
                found.headers["Nats-Expected-Last-Subject-Sequence-Subject"] = self._filter
            if batch is not None:
                found.headers["Nats-Batch-Id"] = batch
                found.headers["Nats-Batch-Sequence"] = str(index)
                if index == len(events):
                    found.headers["Nats-Batch-Commit"] = "1"
            yield found

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until the client has reconnected."""
        deadline = monotonic() + seconds
        connected = self._nats.is_connected
        # The client has no event to wait for that is ours alone.
        while (remaining := deadline - monotonic()) > 0 and (connected or not self._nats.is_connected):  # noqa: ASYNC110
            await asyncio.sleep(min(remaining, _REST_SECONDS))

    async def _ask(self, messages: Iterator[Message]) -> dict[str, Any]:
        reply = await self._wire.ask(messages, _ANSWER_SECONDS)
        try:
            answer: dict[str, Any] = json.loads(reply)
        except ValueError as error:
            raise BrokerAway(f"not an answer: {reply[:100]!r}") from error
        if (refusal := answer.get("error")) is not None:
            if refusal.get("err_code") == _WRONG_SEQUENCE:
                raise Refused(refusal["description"])
            if refusal.get("err_code") == _DUPLICATE_IN_BATCH:
                raise Remembered(refusal["description"])
            raise BrokerAway(f"{refusal.get('err_code')}: {refusal.get('description')}")
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
            subject, headers, data = message(event)
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
