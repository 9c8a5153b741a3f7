"""Labels above a time line: each where it can be read, none over another, no leader through a text. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST_LANES: Final = 8
_GAP: Final = 8.0
_MOST_MARKS: Final = 14
_MOST_TRIES: Final = 400


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to be labelled at `x`; the less its `rank`, the sooner it gets room."""

    x: float
    text: str
    kind: str
    rank: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A mark with the lane above the time line (0: the lowest) and where its text begins."""

    mark: Mark
    lane: int
    start: float
    width: float

    @property
    def end(self) -> float:
        """Where the text ends."""
        return self.start + self.width


def text_width(text: str, size: float) -> float:
    """About how wide a text is: Chinese characters are square, others about half as wide."""
    return sum(size if ord(one) > 0x2E7F else size * 0.6 for one in text)


def placed(marks: Sequence[Mark], left: float, right: float, size: float) -> tuple[list[Placed], int]:
    """The labels that find room, and how many marks stay without. The more important ones are placed first."""
    found: list[Placed] = []
    kept: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.rank, mark.x))[:_MOST_MARKS]:
        tried = _together([*kept, mark], left, right, size)
        if tried is not None:
            kept.append(mark)
            found = tried
    return found, len(marks) - len(kept)


def _together(marks: Sequence[Mark], left: float, right: float, size: float) -> list[Placed] | None:
    """All of them, tried from right to left and then from left to right."""
    for order in (-1, 1):
        choices = [_choices(mark, left, right, size) for mark in sorted(marks, key=lambda one: order * one.x)]
        found = _search(choices, [], [_MOST_TRIES])
        if found is not None:
            return found
    return None


def _choices(mark: Mark, left: float, right: float, size: float) -> list[Placed]:
    """Beside its leader or over it, low lanes first."""
    width = text_width(mark.text, size)
    starts = [start for start in (mark.x + 3, mark.x - 3 - width) if left <= start <= right - width]
    starts.append(max(left, min(mark.x - width / 2, right - width)))
    return [Placed(mark, lane, start, width) for lane in range(MOST_LANES) for start in starts]


def _search(choices: Sequence[Sequence[Placed]], found: list[Placed], tries: list[int]) -> list[Placed] | None:
    """Depth first, as long as tries are left."""
    if len(found) == len(choices):
        return found
    for one in choices[len(found)]:
        if all(_agree(one, other) for other in found):
            tries[0] -= 1
            done = _search(choices, [*found, one], tries) if tries[0] >= 0 else None
            if done is not None or tries[0] < 0:
                return done
    return None


def _agree(one: Placed, other: Placed) -> bool:
    if one.lane == other.lane:
        return one.end + _GAP <= other.start or other.end + _GAP <= one.start
    upper, lower = (one, other) if one.lane > other.lane else (other, one)
    return not lower.start - 2 <= upper.mark.x <= lower.end + 2
