"""How many incidents were open at each of many instants, and how old, from one look at all of them. Pure.

Whoever reads the facts tells for each stretch of being open between which marks its incident opened, and between which
instants it began and ended; what is open at an instant, and how old at least, follows from counts of such triples.
Instants are exact to the microsecond.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

_TICK = timedelta(microseconds=1)


class Marks:
    """The marks for instants, in order, and ages in rising order from 0: each instant less each age, once.

    `after` is what to compare an opening with, `after_instants` the begin and end of a stretch: a mark precedes an
    instant if its element there does not exceed it.
    """

    def __init__(self, instants: Sequence[datetime], ages: Sequence[timedelta]) -> None:
        marks = sorted({instant - age for instant in instants for age in ages})
        places = {mark: place for place, mark in enumerate(marks, 1)}
        self.after = [mark + _TICK for mark in marks]
        self.after_instants = [instant + _TICK for instant in instants]
        self._places = [[places[instant - age] for instant in instants] for age in ages]

    def open_at(self, triples: Iterable[tuple[int, int, int, int]]) -> list[list[int]]:
        """By age: by instant, how many were open then and at least so old.

        `triples`: how many marks precede the opening of the incident, how many instants the begin of the stretch and
        how many its end, and how many stretches are like that.
        """
        marks, instants = len(self.after), len(self._places[0])
        # The first instant at which one that opened there is so old.
        old = [[bisect_right(places, opened) for opened in range(marks + 1)] for places in self._places]
        changes = [[0] * (instants + 1) for _ in self._places]
        for opened, began, ended, count in triples:
            for change, since in zip(changes, old, strict=True):
                first = max(began, since[opened])
                if first >= ended:  # and the older the later
                    break
                change[first] += count
                change[ended] -= count
        return [list(accumulate(change))[:instants] for change in changes]
