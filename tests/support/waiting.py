"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T]], timeout: float = 20.0, every: float = 0.02) -> T:
    """Call `check` until it returns something truthy without an AssertionError; return that.

    Raises:
        AssertionError: it did not within `timeout` seconds; carries the last reason.
    """
    deadline = time.monotonic() + timeout
    reason: object = "never true"
    while True:
        try:
            found = await check()
            if found:
                return found
            reason = found
        except AssertionError as error:
            reason = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {reason!r}")
        await asyncio.sleep(every)
