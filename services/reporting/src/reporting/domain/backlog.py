"""How many incidents were open at each of many instants, and how old, from one look at all of them. Pure.

Whoever reads the facts tells for each incident between which marks it opened and between which it ended; what is open
at an instant at least so long follows from counts of such pairs. Instants are exact to the microsecond.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

_TICK = timedelta(microseconds=1)


class Marks:
    """The marks for instants, in order, and ages in rising order from 0: each instant less each age, once.

    `after` is what to compare with: a mark precedes an incident's instant if its element of `after` does not exceed it.
    """

    def __init__(self, instants: Sequence[datetime], ages: Sequence[timedelta]) -> None:
        marks = sorted({instant - age for instant in instants for age in ages})
        places = {mark: place for place, mark in enumerate(marks, 1)}
        self.after = [mark + _TICK for mark in marks]
        self._places = [[places[instant - age] for instant in instants] for age in ages]

    def open_at(self, pairs: Iterable[tuple[int, int | None, int]]) -> list[list[int]]:
        """By age: by instant, how many were open then and at least so old.

        `pairs`: how many marks precede the opening, how many the end (None: it is open still), and how many incidents.
        """
        marks, instants = len(self.after), len(self._places[0])
        # The first instant at which one that opened there is so old, and the first at which one that ended there ended.
        begins = [[bisect_right(places, opened) for opened in range(marks + 1)] for places in self._places]
        ends = [bisect_right(self._places[0], ended) for ended in range(marks + 1)]
        changes = [[0] * (instants + 1) for _ in self._places]
        for opened, ended, count in pairs:
            end = instants if ended is None else ends[ended]
            for change, begin in zip(changes, begins, strict=True):
                if begin[opened] >= end:  # and the older the later
                    break
                change[begin[opened]] += count
                change[end] -= count
        return [list(accumulate(change))[:instants] for change in changes]
