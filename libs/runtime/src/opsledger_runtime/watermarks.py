"""Watermarks: how far every context's relay says it is (D10).

Owns what this process has heard on the relays' subjects. Refuses to guess: a context that was never heard has none.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from opsledger_events.envelope import InvalidEnvelope, parse_instant
from opsledger_events.subjects import ALL_RELAYS
from opsledger_runtime.clock import monotonic

_RETRY_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 5.0
"""After this long without the later word an earlier one counts: the domain clock of a test was moved back."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Every event of `context` recorded at or before `time` (domain) has number <= `last` and is on the stream.

    `heard` is machine time, monotonic seconds.
    """

    context: str
    time: datetime
    last: int
    heard: float

    def age(self) -> timedelta:
        """How long ago it was heard, in machine time."""
        return timedelta(seconds=monotonic() - self.heard)


class Watermarks:
    """Listens to all relays."""

    name = "watermarks"

    def __init__(self, nats: Client) -> None:
        self._nats = nats
        self._heard: dict[str, Watermark] = {}
        self._log = structlog.get_logger()

    def of(self, context: str) -> Watermark | None:
        """The latest word of a context's relay; None before the first."""
        return self._heard.get(context)

    async def run(self) -> None:
        """Subscribe for as long as it lives; the client renews the subscription whenever it reconnects."""
        while True:
            try:
                subscription = await self._nats.subscribe(ALL_RELAYS, cb=self._hear)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                self._log.warning("watermarks_not_reachable", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                await asyncio.Event().wait()
            finally:
                with suppress(nats.errors.Error):
                    await subscription.unsubscribe()

    async def _hear(self, message: Msg) -> None:
        context = message.subject.rsplit(".", 1)[-1]
        try:
            found = json.loads(message.data)
            mark = Watermark(context, parse_instant(found["time"]), int(found["last"]), monotonic())
        except (ValueError, KeyError, TypeError, InvalidEnvelope) as error:
            self._log.warning("watermark_not_readable", context=context, error=repr(error))
            return
        before = self._heard.get(context)
        # A relay that was frozen between making and sending its word sends an old one, true but worth less.
        if before and mark.time < before.time and mark.heard - before.heard < _SILENCE_SECONDS:
            return
        self._heard[context] = mark
