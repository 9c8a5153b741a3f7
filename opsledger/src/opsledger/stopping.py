"""SIGINT, SIGTERM and SIGHUP end the work in hand, at whatever step it is; what it started is stopped."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_told(work: Callable[[], Awaitable[None]], told: Callable[[], None]) -> None:
    """Run `work` until it ends or a signal asks to stop; `told` is called once then.

    The work is cancelled once and may take its time to clean up; further signals change nothing.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    asked = False

    def stop() -> None:
        nonlocal asked
        if not asked:
            asked = True
            told()
            task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
