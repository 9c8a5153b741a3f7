"""Working time counted the plain way, interval by interval: what the models count with, and ours is compared with.

Shares nothing with the calendars of the product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZERO = timedelta(0)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Hours:
    """Open from `opens` to `closes` o'clock on `weekdays` (Monday is 0); without weekdays always.

    Holidays are closed, and make-up days open in the same hours.
    """

    zone: str
    weekdays: tuple[int, ...] = ()
    opens: int = 0
    closes: int = 24
    holidays: tuple[date, ...] = ()
    make_up_days: tuple[date, ...] = ()

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two instants."""
        if end <= start:
            return ZERO
        if not self.weekdays:
            return end.astimezone(UTC) - start.astimezone(UTC)
        found = ZERO
        for opens, closes in self._from(start):
            if opens >= end:
                break
            found += max(min(closes, end) - max(opens, start), ZERO)
        return found

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first instant with that much working time since `start`."""
        if amount <= ZERO:
            return start
        if not self.weekdays:
            return start.astimezone(UTC) + amount
        for opens, closes in self._from(start):
            begin = max(opens, start)
            if closes > begin:
                if amount <= closes - begin:
                    return begin + amount
                amount -= closes - begin
        raise AssertionError

    def _from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        first = start.astimezone(ZoneInfo(self.zone)).date()
        for n in range(-1, 400):
            day = first + n * ONE_DAY
            if day in self.make_up_days or (day.weekday() in self.weekdays and day not in self.holidays):
                yield self._instant(day, self.opens), self._instant(day, self.closes)

    def _instant(self, day: date, hour: int) -> datetime:
        local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone)) + timedelta(hours=hour)
        return local.astimezone(UTC)
