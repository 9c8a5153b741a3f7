"""Where an instant stands in a picture of given width. Pure, and monotone: what is later is never further left.

Nights and other closed time are narrowed, and so is waiting where it would leave too little room for what counts.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from sla.domain.calendar import Calendar
from sla.domain.clock import Interval
from sla.explaining.pieces import Piece, cut

Name = Literal["even", "pressed", "pressed_waiting", "pressed_twice", "even_long"]

_LONGEST: Final = timedelta(days=120)
_MOST_PIECES: Final = 130
_WAITING_SHARE: Final = 0.6
_CLOSED_SHARE: Final = 0.3
_NIGHT: Final = 14.0
_WEEKEND: Final = 1.6
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch that one state and one calendar rule hold for; `interval` None: still ahead."""

    start: datetime
    end: datetime
    interval: Interval | None
    piece: Piece


@dataclass(frozen=True, slots=True)
class Scale:
    """Instants to pixels from `left` on, linear between `edges`."""

    name: Name
    segments: tuple[Segment, ...]
    edges: tuple[datetime, ...]
    at: tuple[float, ...]

    def x(self, instant: datetime) -> float:
        """Pixels from the left; what lies outside stands at the border."""
        n = bisect_right(self.edges, instant) - 1
        if n < 0:
            return self.at[0]
        if n >= len(self.edges) - 1:
            return self.at[-1]
        share = (instant - self.edges[n]) / (self.edges[n + 1] - self.edges[n])
        return self.at[n] + share * (self.at[n + 1] - self.at[n])


def scale(
    calendar: Calendar, trace: Sequence[Interval], start: datetime, end: datetime, left: float, width: float
) -> Scale:
    """The scale of a picture from `start` to `end`, which is later."""
    pieces = cut(calendar, start, end, longest=_LONGEST, most=_MOST_PIECES)
    even = pieces is None or not any(piece.works for piece in pieces)
    segments = _segments(pieces or (Piece(start, end, "working_hours"),), trace, start, end)
    weights = [(one.end - one.start).total_seconds() for one in segments]
    name: Name = "even_long" if pieces is None else "even"
    if not even and (calendar.hours is not None or any(_waits(one) for one in segments)):
        weights, name = _pressed(segments, weights, width)
    total, x, at = sum(weights) or 1.0, left, [left]
    for weight in weights:
        x += width * weight / total
        at.append(x)
    return Scale(name, tuple(segments), (*(one.start for one in segments), end), tuple(at))


def _waits(one: Segment) -> bool:
    return one.piece.works and one.interval is not None and one.interval.state != "running"


def _pressed(segments: Sequence[Segment], seconds: Sequence[float], width: float) -> tuple[list[float], Name]:
    counted = sum(s for one, s in zip(segments, seconds, strict=True) if one.piece.works and not _waits(one))
    waiting = sum(s for one, s in zip(segments, seconds, strict=True) if _waits(one))
    factor = 1.0
    if counted and waiting > _WAITING_SHARE * counted:
        factor = _WAITING_SHARE * counted / waiting
    weights = [s * factor if _waits(one) else s for one, s in zip(segments, seconds, strict=True)]
    closed = {one.piece for one in segments if not one.piece.works}
    if closed:
        open_weight = sum(weight for one, weight in zip(segments, weights, strict=True) if one.piece.works) or 1.0
        each = min(_NIGHT, _CLOSED_SHARE * width / len(closed)) / width * open_weight / (1 - _CLOSED_SHARE)
        for n, one in enumerate(segments):
            if not one.piece.works:
                whole = one.piece.end - one.piece.start
                wanted = min(each * (_WEEKEND if whole > _DAY else 1.0), whole.total_seconds())
                weights[n] = wanted * ((one.end - one.start) / whole)
    if factor < 1.0:
        return weights, "pressed_twice" if closed else "pressed_waiting"
    return weights, "pressed" if closed else "even"


def _segments(pieces: Sequence[Piece], trace: Sequence[Interval], start: datetime, end: datetime) -> list[Segment]:
    edges = {start, end, *(piece.start for piece in pieces), *(piece.end for piece in pieces)}
    edges |= {edge for one in trace for edge in (one.start, one.end) if start < edge < end}
    ordered = sorted(edges)
    found: list[Segment] = []
    piece_at = interval_at = 0
    for begins, ends in pairwise(ordered):
        while pieces[piece_at].end <= begins:
            piece_at += 1
        while interval_at < len(trace) and trace[interval_at].end <= begins:
            interval_at += 1
        inside = interval_at < len(trace) and trace[interval_at].start <= begins
        found.append(Segment(begins, ends, trace[interval_at] if inside else None, pieces[piece_at]))
    return found
