"""What this context reads from the environment, beside the runtime's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from opsledger_runtime.settings import SettingsError
from sla.seed import DEFAULT_CALENDAR

_PREFIX: Final = "OPSLEDGER_SLA_PROMISE_"


@dataclass(frozen=True, slots=True)
class PromiseSettings:
    """When a promise is due of which nothing was said of when, in working hours of `calendar` (an id).

    `reply_hours`: to speak to the requester again, or whatever else was promised; `completion_hours`: to be done.
    Reminders come when `remind_percent` of the time has passed.
    """

    reply_hours: int = 2
    completion_hours: int = 8
    remind_percent: int = 75
    calendar: str = DEFAULT_CALENDAR

    def usual(self, awaits: str) -> timedelta:
        """Working time until a promise of this kind is due."""
        return timedelta(hours=self.completion_hours if awaits == "completion" else self.reply_hours)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "PromiseSettings":
        """Read them.

        Raises:
            SettingsError: a variable holds no whole number in its range, or no calendar's id.
        """
        calendar = environ.get(f"{_PREFIX}CALENDAR") or DEFAULT_CALENDAR
        try:
            UUID(calendar)
        except ValueError:
            raise SettingsError(f"{_PREFIX}CALENDAR is {calendar!r}; set it to the id of a calendar") from None
        return cls(
            _whole(environ, "REPLY_HOURS", 2, 1000),
            _whole(environ, "COMPLETION_HOURS", 8, 1000),
            _whole(environ, "REMIND_PERCENT", 75, 99),
            calendar,
        )


def _whole(environ: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = environ.get(f"{_PREFIX}{name}") or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise SettingsError(f"{_PREFIX}{name} is {text!r}; set it to a whole number from 1 to {most}")
    return int(text)
