"""Human numbers of incidents: INC0000001 and up, from a sequence; gaps are harmless, repeats impossible."""

from collections import deque
from typing import Any, Final

from opsledger_runtime.clock import monotonic

_MOST_AHEAD: Final = 32
_BUSY_SECONDS: Final = 0.25


class Numbers:
    """Draws numbers for incidents that open one at a time: the busier it is, the more with one statement.

    What was drawn ahead and not used when the process ends is a gap; in quiet hours nothing is drawn ahead.
    """

    def __init__(self) -> None:
        self._ahead: deque[str] = deque()
        self._drawn_at = float("-inf")
        self._count = 1

    async def draw(self, connection: Any) -> str:
        """A fresh number."""
        if not self._ahead:
            now = monotonic()
            self._count = min(2 * self._count, _MOST_AHEAD) if now - self._drawn_at < _BUSY_SECONDS else 1
            self._drawn_at = now
            self._ahead.extend(await next_numbers(connection, self._count))
        return self._ahead.popleft()


async def next_numbers(connection: Any, count: int) -> list[str]:
    """So many fresh numbers, in one statement."""
    if count == 0:
        return []
    rows = await connection.fetch("select nextval('incident_number') as no from generate_series(1, $1)", count)
    return [spelled(row["no"]) for row in rows]


def spelled(no: int) -> str:
    """The number as people know it."""
    return f"INC{no:07d}"
