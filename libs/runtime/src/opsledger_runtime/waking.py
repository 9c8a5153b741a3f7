"""Waking a context's relay in another process of the service, through the database they share.

Outside the writers' transactions: a `NOTIFY` inside one takes a lock that all writers queue for. Refuses to be relied
on: a lost word is made good by the relay's safety poll.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncpg

from opsledger_runtime import ids
from opsledger_runtime.lease import DATABASE_AWAY

CHANNEL: Final = "relay"
_CONNECT_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_DEBOUNCE_SECONDS: Final = 0.002


async def listen(dsn: str, wake: Callable[[], None]) -> None:
    """Call `wake` whenever somebody tells, and after every new connection; for ever, on a connection of its own."""
    while True:
        with suppress(*DATABASE_AWAY):
            connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
            try:
                closed = asyncio.Event()
                connection.add_termination_listener(lambda _, closed=closed: closed.set())
                await connection.add_listener(CHANNEL, lambda *_: wake())
                wake()
                await closed.wait()
            finally:
                connection.terminate()
        await asyncio.sleep(ids.jitter(_RETRY_SECONDS))


async def notify(pool: "asyncpg.Pool[asyncpg.Record]", asked: asyncio.Event) -> None:
    """Tell the listener whenever `asked` is set, many askings in one word; for ever."""
    while True:
        await asked.wait()
        asked.clear()
        with suppress(*DATABASE_AWAY):
            await pool.execute("select pg_notify($1, '')", CHANNEL)
        await asyncio.sleep(_DEBOUNCE_SECONDS)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, at most `seconds`; says nothing of which."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
