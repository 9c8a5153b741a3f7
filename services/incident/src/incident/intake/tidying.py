"""Forgetting what the intake need not know any more, now and then, while alerts come in."""

from datetime import datetime, timedelta
from typing import Any, Final

from incident.intake import kept_aside, received

PAUSE: Final = timedelta(minutes=1)
"""Between two looks, in domain time: what is kept for months need not go within the second."""


class Tidying:
    """One process's share of the work; every process that takes alerts in does the same."""

    def __init__(self) -> None:
        self._last: datetime | None = None

    async def sometimes(self, connection: Any, now: datetime) -> None:
        """Drop a bounded number of old counts and of old alerts kept aside, unless that was done just now."""
        if self._last is not None and self._last <= now < self._last + PAUSE:
            return
        self._last = now
        await received.forget(connection, now)
        await kept_aside.forget(connection, now)
