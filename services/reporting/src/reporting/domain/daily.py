"""What a batch changes in the backlog of each day, as differences. Pure.

A day is one of Asia/Shanghai. Something is open at its end if it began by the midnight after it and had not ended by
then. Days are told up to the horizon, the day of the latest event; `advance` of the projection adds the days by which
a batch moves it, from the stretches themselves. Late events change days that are told already.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from opsledger_events import Event
from opsledger_events.contexts.incident import IncidentCancelled, IncidentOpened, IncidentReopened, IncidentResolved
from reporting.domain.days import FIRST_YEAR, LAST_YEAR, NO_DATE, OFFSET
from reporting.domain.rows import BacklogRow

Dimensions = tuple[int, str, str, str]
"""Priority key, team, organisation, service."""

_FIRST: Final = date(FIRST_YEAR, 1, 1)
_LAST: Final = date(LAST_YEAR, 12, 31)
_DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)
_FLOWS: Final[dict[type[Event], str]] = {
    IncidentOpened: "opened_count",
    IncidentResolved: "resolved_count",
    IncidentReopened: "reopened_count",
    IncidentCancelled: "cancelled_count",
}
BOUNDS: Final = (
    (1, "age_under_1_day"),
    (3, "age_1_to_3_days"),
    (7, "age_3_to_7_days"),
    (30, "age_7_to_30_days"),
)
"""Days of 24 hours at which a class of age ends."""


MEASURES: Final = (
    "open_count",
    "age_seconds",
    *(name for _, name in BOUNDS),
    "age_over_30_days",
    *_FLOWS.values(),
)
"""The columns that are added up."""

_flows: Final = operator.attrgetter(*_FLOWS.values())
_measures: Final = operator.attrgetter(*MEASURES)


@dataclass(slots=True)
class Daily:
    """Differences by day and dimensions, for the days up to `horizon`; None: no day is told yet.

    What begins and ends in one batch is told of the days between alone: a history from years ago comes story by story,
    and each of its beginnings by itself would change every day since.
    """

    horizon: date | None = None
    latest: datetime | None = None
    rows: dict[tuple[date, Dimensions], BacklogRow] = field(default_factory=dict)
    moves: dict[tuple[Dimensions, datetime], list[tuple[date, int]]] = field(default_factory=dict)
    """By dimensions and opening: the day from which on so many more are open."""

    def reach(self, instant: datetime) -> None:
        """An event was recorded by then, up to whose day is told."""
        if self.latest is None or instant > self.latest:
            self.latest = instant

    @property
    def reached(self) -> date | None:
        """The day of the latest event of the batch."""
        return None if self.latest is None else local_day(self.latest)

    def began(self, dimensions: Dimensions, time: datetime, opened: datetime) -> None:
        """From `time` on, one more is open."""
        self._change(dimensions, time, opened, 1)

    def ended(self, dimensions: Dimensions, time: datetime, opened: datetime) -> None:
        """From `time` on, one less is open."""
        self._change(dimensions, time, opened, -1)

    def happened(self, dimensions: Dimensions, time: datetime, kind: type[Event]) -> None:
        """Something was opened, resolved, reopened or cancelled."""
        row, name = self._row(local_day(time), dimensions), _FLOWS[kind]
        setattr(row, name, getattr(row, name) + 1)

    def changes(self) -> list[BacklogRow]:
        """The differences that change something."""
        for (dimensions, opened), moves in self.moves.items():
            self._spread(dimensions, opened, sorted(moves))
        self.moves.clear()
        return [row for row in self.rows.values() if any(_measures(row))]

    def emptied(self) -> list[tuple[Any, ...]]:
        """Keys of rows that may be left with nothing to tell: something ended, and nothing happened that is counted."""
        return [
            (day, *dimensions)
            for (day, dimensions), row in self.rows.items()
            if row.open_count < 0 and not any(_flows(row))
        ]

    def _change(self, dimensions: Dimensions, time: datetime, opened: datetime, by: int) -> None:
        if self.horizon is not None:
            self.moves.setdefault((dimensions, opened), []).append((local_day(time - _TICK), by))

    def _spread(self, dimensions: Dimensions, opened: datetime, moves: Sequence[tuple[date, int]]) -> None:
        assert self.horizon is not None  # noqa: S101 - without one there are no moves
        after, more = self.horizon + _DAY, 0
        for (day, by), (until, _) in pairwise([*moves, (after, 0)]):
            more += by
            while more and day < min(until, after):
                row, age = self._row(day, dimensions), end_of(day) - opened
                row.open_count += more
                row.age_seconds += more * (age // timedelta(seconds=1))
                name = age_class(age)
                setattr(row, name, getattr(row, name) + more)
                day += _DAY

    def _row(self, day: date, dimensions: Dimensions) -> BacklogRow:
        row = self.rows.get((day, dimensions))
        if row is None:
            row = BacklogRow(day, *dimensions, date_key=_key(day))
            self.rows[day, dimensions] = row
        return row


def local_day(instant: datetime) -> date:
    """The day of an instant in Asia/Shanghai; before and after the years of `dim_date` its first and last one."""
    if instant.year < FIRST_YEAR:
        return _FIRST
    return _LAST if instant.year > LAST_YEAR else instant.astimezone(OFFSET).date()


def end_of(day: date) -> datetime:
    """The midnight after a day."""
    return datetime(day.year, day.month, day.day, tzinfo=OFFSET) + _DAY


def age_class(age: timedelta) -> str:
    """The column that counts what is so old."""
    for days, name in BOUNDS:
        if age < timedelta(days=days):
            return name
    return "age_over_30_days"


def _key(day: date) -> int:
    return day.year * 10000 + day.month * 100 + day.day if FIRST_YEAR <= day.year <= LAST_YEAR else NO_DATE
