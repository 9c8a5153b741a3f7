"""What became of a file's lines: the days that it gives, and the lines that were not understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsledger_runtime.errors import Invalid
from sla.domain.calendar import Span, day_from
from sla.domain.calendar.days import MOST_DAYS

LONGEST_NAME: Final = 100
MOST_BAD: Final = 200
"""Bad lines that are reported one by one; beyond, the file is the wrong one."""

_ANY_HOURS: Final = (Span(0, 1),)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file, from 1, and what to do about it; `code` is stable."""

    line: int
    code: str
    detail: str


@dataclass(slots=True)
class Report:
    """Days in the form in which exceptions are asked for, by date, and bad lines in order."""

    days: dict[str, dict[str, Any]] = field(default_factory=dict)
    bad: list[BadLine] = field(default_factory=list)
    lines: int = 0
    unreported: int = 0

    def refuse(self, line: int, code: str, detail: str) -> None:
        """Note a bad line."""
        if len(self.bad) < MOST_BAD:
            self.bad.append(BadLine(line, code, detail))
        else:
            self.unreported += 1

    def take(self, line: int, given: Mapping[str, Any]) -> None:
        """Add a day, or another interval to an open day that the file has already; a wrong one is a bad line."""
        wanted = {name: value for name, value in given.items() if value is not None}
        before = self.days.get(wanted["date"])
        if before is not None:
            if not ("hours" in before and "hours" in wanted):
                self.refuse(line, "day_twice", f"{wanted['date']} is there already. Say once what is different on it.")
                return
            wanted = {**wanted, **before, "hours": [*before["hours"], *wanted["hours"]]}
        elif len(self.days) >= MOST_DAYS:
            self.refuse(line, "too_many_days", f"A file gives at most {MOST_DAYS} days.")
            return
        for name in ("name_zh", "name_en"):
            text = wanted.get(name, "")
            if len(text) > LONGEST_NAME or not text.isprintable():
                self.refuse(line, "bad_name", f"A name is at most {LONGEST_NAME} printable characters, on one line.")
                return
        try:
            day_from(wanted, "", _ANY_HOURS)
        except Invalid as error:
            self.refuse(line, error.code, error.message)
            return
        self.days[wanted["date"]] = wanted
