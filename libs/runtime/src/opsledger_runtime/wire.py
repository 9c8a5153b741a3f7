"""Putting bytes of our own on a NATS client's connection, many at once, and waiting for the one answer to the last.

Rests on what is private in nats-py (how bytes get into its queue), pinned by exact version and held by
`tests/contract/test_nats_behaviour.py`. Refuses to wait for an answer once the connection is lost on which it was
asked for: the client itself would wait the whole timeout.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from opsledger_runtime.messages import Message, frame

_LOOK_SECONDS: Final = 0.2
_CHUNK: Final = 64
_STATUS: Final = "Status"


class BrokerAway(Exception):
    """The broker, its JetStream or the stream cannot be reached; try again later."""


class Wire:
    """One asker over a client's connection, who asks one thing at a time."""

    def __init__(self, nats: Client) -> None:
        self._nats: Any = nats
        self._inbox: str | None = None
        self._asked = 0
        self._reply = ""
        self._answer: asyncio.Future[Msg] | None = None

    async def ask(self, messages: Iterable[Message], timeout: float) -> bytes:
        """Send the messages, the last one as a request; returns what is answered to it.

        Raises:
            BrokerAway: no answer within `timeout` seconds or on this connection; what arrived is unknown.
        """
        if not self._nats.is_connected:
            raise BrokerAway("not connected")
        loop = asyncio.get_running_loop()
        self._answer = answer = loop.create_future()
        watching = loop.call_later(_LOOK_SECONDS, self._look, answer, self._nats.stats["reconnects"], timeout)
        try:
            await self._listen()
            self._asked += 1
            self._reply = f"{self._inbox}.{self._asked}"
            await self._send(messages)
            found = await answer
        except (nats.errors.Error, OSError) as error:
            raise BrokerAway(repr(error)) from error
        finally:
            self._answer = None
            watching.cancel()
            answer.cancel()
        if found.headers and _STATUS in found.headers:
            raise BrokerAway(f"status {found.headers[_STATUS]}: nobody listens")
        return bytes(found.data)

    def _look(self, answer: "asyncio.Future[Msg]", connection: int, left: float) -> None:
        if answer.done():
            return
        if not self._nats.is_connected or self._nats.stats["reconnects"] != connection:
            answer.set_exception(BrokerAway("the connection was lost"))
        elif left <= _LOOK_SECONDS:
            answer.set_exception(BrokerAway("no answer"))
        else:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look, answer, connection, left - _LOOK_SECONDS)

    async def _send(self, messages: Iterable[Message]) -> None:
        waiting = iter(messages)
        last = next(waiting)
        frames: list[bytes] = []
        for message in waiting:
            frames.append(frame(*last))
            last = message
            if len(frames) == _CHUNK:
                await self._put(frames)
                await asyncio.sleep(0)  # the server takes these in while the next are put together
                frames = []
        await self._put([*frames, frame(*last, reply=self._reply)])

    async def _put(self, frames: Sequence[bytes]) -> None:
        await self._nats._send_command(b"".join(frames))
        await self._nats._flush_pending()

    async def _listen(self) -> None:
        if self._inbox is None:
            inbox = self._nats.new_inbox()
            await self._nats.subscribe(f"{inbox}.*", cb=self._take)
            self._inbox = inbox

    async def _take(self, message: Msg) -> None:
        if self._answer is not None and message.subject == self._reply and not self._answer.done():
            self._answer.set_result(message)
