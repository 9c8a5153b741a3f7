"""What an agreement promises for a priority and a metric: working time, or a working day. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from opsledger_events.contexts.sla import AgreementDefined, DayTarget, Metric
from sla.domain.calendar import Calendar, add_working_days, clock_time, elapsed, minutes

_LEAST: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ByDay:
    """Due on the `working_days`-th working day, at `minute` after its midnight; None: when that day closes."""

    working_days: int
    minute: int | None = None

    def told(self) -> DayTarget:
        """As events and definitions write it."""
        return DayTarget(working_days=self.working_days, at=None if self.minute is None else clock_time(self.minute))


Target = int | ByDay
"""Seconds of working time, or a day that the seconds are counted up to when the target is given."""


def worth(target: Target, calendar: Calendar, since: datetime) -> timedelta:
    """The working time that a target grants to what is counted from `since`; of a day, up to it.

    Raises:
        Invalid: the day is not within the horizon.
    """
    if isinstance(target, int):
        return timedelta(seconds=target)
    due = add_working_days(calendar, since, target.working_days, target.minute)
    return max(elapsed(calendar, since, due), _LEAST)


def target_of(agreement: AgreementDefined, priority: int, metric: Metric) -> Target | None:
    """What is promised; None where the agreement says nothing."""
    return next((read_target(one, metric) for one in agreement.targets if one["priority"] == priority), None)


def read_target(written: Mapping[str, Any], metric: Metric) -> Target | None:
    """Of a target as it stands in an agreement."""
    seconds, by = written.get(f"{metric}_seconds"), written.get(f"{metric}_by")
    if seconds is not None:
        return int(seconds)
    return None if by is None else by_day(DayTarget.model_validate(by))


def by_day(told: DayTarget) -> ByDay:
    """The reverse of `ByDay.told`."""
    return ByDay(told.working_days, None if told.at is None else minutes(told.at))
