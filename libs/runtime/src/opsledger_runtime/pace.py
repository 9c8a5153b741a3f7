"""How closely turns of work follow one another when it comes in small pieces: what comes close together shares one.

A transaction, a publication and a delivery cost processor time of two or three processes each, whatever is in them. A
worker therefore rests in proportion to what its last turn took, within limits: where processors are idle a turn is
short and so is the rest; where they are short of time, pieces gather and each costs less. Never delays what comes after
a rest that is over.
"""

import asyncio
from typing import Final

from opsledger_runtime.clock import monotonic

_SHARE: Final = 4.0
"""From the beginning of one turn to the next, in durations of the turn: a worker takes a quarter of a processor."""


class Pace:
    """One worker's pace. `least` and `most` are in seconds, from the beginning of one turn to the next."""

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most
        self._begun = float("-inf")
        self._took = 0.0

    def begin(self) -> None:
        """A turn begins."""
        self._begun = monotonic()

    def end(self) -> None:
        """The turn has done its work."""
        self._took = monotonic() - self._begun

    @property
    def seconds(self) -> float:
        """From the beginning of this turn to the next."""
        return min(max(self._least, _SHARE * self._took), self._most)

    async def rest(self) -> None:
        """Until the next turn may begin; not at all where that has passed."""
        if (left := self._begun + self.seconds - monotonic()) > 0:
            await asyncio.sleep(left)
