"""Indicators of a log of ServiceNow incidents, computed from its lines with nothing but `csv` and dicts.

The log has one line for each update of an incident, with how it stood afterwards; its times are local and have no
zone. Where it lies: `tests.support.histories`.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.histories import LISBON

_OVER = ("Resolved", "Closed")


def read_log(path: Path) -> list[dict[str, str]]:
    """The lines, unknown values (`?`) empty."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{key: "" if value == "?" else value for key, value in row.items()} for row in csv.DictReader(file)]


def instant(text: str, zone: ZoneInfo) -> datetime:
    """A time of the log, day first."""
    return datetime.strptime(text, "%d-%m-%Y %H:%M").replace(tzinfo=zone)


@dataclass
class Life:
    """What the lines of one incident say, taken together."""

    number: str
    opened: datetime
    priority: int
    category: str
    item: str
    acknowledged: datetime | None = None
    moves: int = 0
    """Reassignments: the log's own counter rises, and the group is another or unknown."""
    ends: list[datetime] = field(default_factory=list)
    """Resolutions, each at the first line that shows it."""
    again: list[datetime] = field(default_factory=list)
    """Reopenings."""


def lives(rows: Iterable[dict[str, str]], zone: ZoneInfo = LISBON) -> list[Life]:
    """One life for each incident; a line that is dated before the one above it counts as of that one."""
    lines: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        lines[row["number"]].append(row)
    found = []
    for number, told in lines.items():
        at = instant(told[0]["opened_at"], zone)
        life = Life(number, at, 0, told[0]["category"], told[0]["cmdb_ci"])
        over, before = False, (0, told[0]["assignment_group"])
        for row in told:
            at = max(at, instant(row["sys_updated_at"], zone))
            life.priority = int(row["priority"][0])
            counted, group = int(row["reassignment_count"]), row["assignment_group"]
            life.moves += counted > before[0] and group != before[1]
            before = counted, group
            if life.acknowledged is None and (row["assigned_to"] or row["incident_state"] == "Active"):
                life.acknowledged = at
            if over and row["incident_state"] not in _OVER:
                life.again.append(at)
            elif not over and row["incident_state"] in _OVER:
                life.ends.append(at)
            over = row["incident_state"] in _OVER
        found.append(life)
    return found


Sums = tuple[int, int]
"""Numerator and denominator."""


def expected(
    rows: Iterable[dict[str, str]], begins: datetime, ends: datetime, zone: ZoneInfo = LISBON
) -> dict[str, Sums]:
    """The figures of a period by indicator; the backlog is at its end, the denominator 0 where there is none."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def add(name: str, numerator: int, denominator: int = 1) -> None:
        found[name][0] += numerator
        found[name][1] += denominator

    known = lives(rows, zone)
    by_cause: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for life in known:
        by_cause[life.item, life.category].append(life.opened)
    for life in known:
        for end in life.ends:
            if begins <= end < ends:
                later = [again for again in life.again if end <= again <= end + timedelta(days=7)]
                add("reopen-rate", bool(later))
        resolved = life.ends[-1] if len(life.ends) > len(life.again) else None
        if resolved is not None and begins <= resolved < ends:
            add("mttr", _seconds(life.opened, resolved))
            add("reassignment-rate", life.moves)
            add("first-contact-resolution", life.moves == 0 and not life.again)
            if life.acknowledged is not None:
                add("mtta", _seconds(life.opened, life.acknowledged))
        if begins <= life.opened < ends:
            add("major-incidents", life.priority == 1, 0)
            if life.item and life.category:
                before = [at for at in by_cause[life.item, life.category] if at < life.opened]
                add("repeat-rate", any(at >= life.opened - timedelta(days=30) for at in before))
        came = [life.opened, *life.again]
        add("backlog-growth", sum(begins <= at < ends for at in came), 0)
        add("backlog-growth", -sum(begins <= at < ends for at in life.ends), 0)
        add("backlog", sum(at <= ends for at in came) - sum(at <= ends for at in life.ends), 0)
    return {name: (int(sums[0]), int(sums[1])) for name, sums in found.items()}


def _seconds(begin: datetime, end: datetime) -> int:
    return int((end.timestamp() - begin.timestamp()) // 1)
