"""Hours of a day, in minutes after midnight, and the week that they make. Pure.

An interval belongs to the day on which it opens. One that closes at or before the time it opens closes on the next day.
Refuses intervals that overlap, on one day or past midnight.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from opsledger_runtime.errors import FieldError, Invalid

DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Span(NamedTuple):
    """A working interval of one day; `closes` is above 1440 where that is on the next day."""

    opens: int
    closes: int


class Hours(NamedTuple):
    """A working interval of a weekday: Monday is 0; `closes` as in `Span`, or a time of the next day as such."""

    day: int
    opens: int
    closes: int

    @property
    def span(self) -> Span:
        """Without the weekday."""
        return Span(self.opens, self.closes)


def minutes(text: str, pointer: str = "") -> int:
    """Minutes after midnight of `HH:MM`, 00:00 to 24:00.

    Raises:
        Invalid: it is none.
    """
    hour, colon, minute = text.partition(":")
    plain = len(text) == 5 and colon == ":" and text.isascii() and hour.isdigit() and minute.isdigit()
    if not plain or int(minute) > 59 or int(hour) * 60 + int(minute) > DAY_MINUTES:
        raise Invalid(
            f"{text[:20]!r} is no time of day. Write HH:MM, 00:00 to 24:00.",
            [FieldError(pointer, "Write HH:MM.")],
            code="bad_time",
        )
    return int(hour) * 60 + int(minute)


def clock_time(minute: int) -> str:
    """`HH:MM`; a minute of the next day as that day's time."""
    if minute > DAY_MINUTES:
        minute -= DAY_MINUTES
    return f"{minute // 60:02}:{minute % 60:02}"


def shown(span: Span) -> str:
    """For people."""
    return f"{clock_time(span.opens)} to {clock_time(span.closes)}"


def span_of(opens: int, closes: int, day: str, pointer: str) -> Span:
    """The interval that opens and closes at these minutes; `day` and `pointer` say where it was given.

    Raises:
        Invalid: it does not open on its day, or is longer than 24 hours.
    """
    found = Span(opens, closes + DAY_MINUTES if 0 <= closes <= opens else closes)
    if not (0 <= found.opens < DAY_MINUTES and found.opens < found.closes <= found.opens + DAY_MINUTES):
        raise Invalid(
            f"{day}: {shown(Span(opens, closes))} is no interval. Let it open from 00:00 to 23:59 and last at most 24 "
            "hours.",
            [FieldError(f"{pointer}/opens", "From 00:00 to 23:59.")],
            code="no_interval",
        )
    return found


def week_of(given: Sequence[Hours], pointer: str = "/weekly") -> tuple[Hours, ...]:
    """The intervals in order, checked.

    Raises:
        Invalid: with a sentence that says what to change.
    """
    if not given:
        raise Invalid(
            "The calendar never opens. Give at least one interval in weekly, or set always_open to true.",
            [FieldError(pointer, "Give at least one interval.")],
            code="never_opens",
        )
    placed: list[tuple[Hours, int]] = []
    for index, one in enumerate(given):
        at = f"{pointer}/{index}"
        if not 0 <= one.day <= 6:
            raise Invalid(
                f"There is no weekday {one.day}. Count from 0 (Monday) to 6 (Sunday).",
                [FieldError(f"{at}/day", "0 (Monday) to 6 (Sunday).")],
                code="no_weekday",
            )
        placed.append((Hours(one.day, *span_of(one.opens, one.closes, WEEKDAYS[one.day], at)), index))
    placed.sort()
    for (before, _), (after, index) in pairwise([*placed, placed[0]]):
        # From the start of one to the start of the next; the only interval of a week is followed by itself.
        apart = ((after.day - before.day) * DAY_MINUTES + after.opens - before.opens) % WEEK_MINUTES
        if (apart or (0 if len(placed) > 1 else WEEK_MINUTES)) < before.closes - before.opens:
            raise _overlap(WEEKDAYS[before.day], before.span, WEEKDAYS[after.day], after.span, f"{pointer}/{index}")
    return tuple(hours for hours, _ in placed)


def spans_of(given: Sequence[tuple[int, int]], day: str, pointer: str) -> tuple[Span, ...]:
    """The intervals of one day in order, checked.

    Raises:
        Invalid: with a sentence that says what to change.
    """
    found = sorted(span_of(opens, closes, day, f"{pointer}/{n}") for n, (opens, closes) in enumerate(given))
    for before, after in pairwise(found):
        if after.opens < before.closes:
            raise _overlap(day, before, day, after, pointer)
    return tuple(found)


def check_night(day: str, before: Sequence[Span], next_day: str, after: Sequence[Span], pointer: str) -> None:
    """That a day's last interval is over when the next day's first begins.

    Raises:
        Invalid: it is not.
    """
    if before and after and before[-1].closes - DAY_MINUTES > after[0].opens:
        raise _overlap(day, before[-1], next_day, after[0], pointer)


def _overlap(day: str, before: Span, other_day: str, after: Span, pointer: str) -> Invalid:
    where = f"{day}: {shown(before)} and {shown(after)}"
    if day != other_day:
        where = f"{day} {shown(before)} and {other_day} {shown(after)}"
    return Invalid(
        f"{where} overlap. Join them or let one end where the other begins.",
        [FieldError(pointer, f"Overlaps {shown(before)}" + (f" of {day}." if day != other_day else "."))],
        code="hours_overlap",
    )
