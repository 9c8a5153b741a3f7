"""The audit log of ServiceNow incidents as CSV: one row for the state of an incident after each update.

`?` and an empty cell are unknown. Refuses a file without the columns that say who did what when; the others may be
missing. Columns that are filled in afterwards in every row of an incident (`closed_code`, `resolved_at` …) are read,
and are no part of a row's identity: a later export states them where an earlier one did not.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from incident.importing.history import Damaged, HistoryRow, NoHistory, Standing
from incident.importing.local_time import instant
from incident.importing.records import records
from opsledger_events.contexts.incident import Channel
from opsledger_events.names import NAME_LENGTH, is_name, is_opaque_id

NEEDED: Final = (
    *("number", "incident_state", "opened_at", "sys_updated_at", "assignment_group", "assigned_to"),
    *("impact", "urgency", "priority", "reassignment_count", "reopen_count"),
)
_IDENTIFYING: Final = (
    *NEEDED,
    *("sys_mod_count", "sys_updated_by", "caller_id", "contact_type", "location", "category", "subcategory"),
    *("u_symptom", "cmdb_ci", "problem_id", "rfc", "vendor", "caused_by"),
)
_NOTED: Final = {
    "category": "category",
    "subcategory": "subcategory",
    "u_symptom": "symptom",
    "location": "location",
    "cmdb_ci": "configuration item",
    "caller_id": "caller",
    "problem_id": "problem",
    "rfc": "change request",
    "vendor": "vendor",
    "caused_by": "caused by change",
}
"""Columns for whose changes there is no event, and what a note calls them."""

_STATES: Final[Mapping[str, tuple[Standing | None, str]]] = {
    "new": ("new", ""),
    "active": ("active", ""),
    "in progress": ("active", ""),
    "awaiting user info": ("held", "awaiting_requester"),
    "awaiting vendor": ("held", "awaiting_vendor"),
    "awaiting problem": ("held", "awaiting_problem"),
    "awaiting evidence": ("held", "awaiting_evidence"),
    "on hold": ("held", "awaiting_other"),
    "resolved": ("resolved", ""),
    "closed": ("closed", ""),
    "canceled": ("cancelled", ""),
    "cancelled": ("cancelled", ""),
    "-100": (None, ""),
}
_CHANNELS: Final[Mapping[str, Channel]] = {
    "phone": "phone",
    "email": "email",
    "self-service": "portal",
    "self service": "portal",
    "chat": "chat",
    "walk-in": "walk-in",
    "monitoring": "monitoring",
    "event": "monitoring",
}
_LEVEL: Final = re.compile(r"([0-9])(?: - .*)?", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_NOT_IN_AN_ID: Final = re.compile(r"[^a-z0-9._-]+")


class ServiceNow:
    """Reads the log. `place` is the zone of its times; a row later than `now` is damaged."""

    system: Final = "servicenow"

    def __init__(self, place: ZoneInfo, now: datetime) -> None:
        self._place = place
        self._now = now

    def read(self, source: BinaryIO) -> Iterator[HistoryRow | Damaged]:
        """Every row in the order of the file.

        Raises:
            NoHistory: the file is empty, no text, or has not the columns of the log.
        """
        found = records(source)
        names = _header(next(found, None))
        for record in found:
            if isinstance(record, Damaged):
                yield record
                continue
            line, cells = record
            if cells == names:
                yield Damaged(line, "repeats the header")
                continue
            row = {name: _known(cell) for name, cell in zip(names, cells, strict=True)}
            try:
                yield self._row(line, row)
            except ValueError as error:
                yield Damaged(line, str(error))

    def _row(self, line: int, row: Mapping[str, str | None]) -> HistoryRow:
        number = row["number"]
        if number is None:
            raise ValueError("has no number")
        if not is_name(number):
            raise ValueError("has a number that is no visible line of at most 200 characters")
        at, doubt = self._instant(row, "sys_updated_at")
        if at is None:
            raise ValueError("sys_updated_at is unknown")
        opened_at, opening_doubt = self._instant(row, "opened_at")
        written = row["incident_state"]
        if written is None or written.casefold() not in _STATES:
            raise ValueError(f"incident_state is not known: {(written or '?')[:40]!r}")
        standing, reason = _STATES[written.casefold()]
        category = _joined(" / ", row.get("category"), row.get("subcategory"))
        titled = _joined(" · ", row.get("u_symptom"), category)
        return HistoryRow(
            line=line,
            number=number,
            identity=_identity(row),
            at=at,
            opened_at=opened_at,
            standing=standing,
            hold_reason=reason or "awaiting_other",
            team=_id(row["assignment_group"]),
            assignee=_id(row["assigned_to"]),
            impact=_level(row, "impact", 3),
            urgency=_level(row, "urgency", 3),
            priority=_level(row, "priority", 5),
            reassignments=_count(row, "reassignment_count"),
            reopenings=_count(row, "reopen_count"),
            title=_name(titled) or number,
            description=_described(number, row),
            category=_name(category),
            configuration_item=_name(row.get("cmdb_ci")),
            requester=_id(row.get("caller_id")),
            channel=_CHANNELS.get((row.get("contact_type") or "").casefold(), "other"),
            responsibility="third_party" if row.get("vendor") else "provider",
            resolution=f"closed_code: {_name(row.get('closed_code')) or 'not stated'}",
            particulars=tuple((told, _name(row.get(name)) or "?") for name, told in _NOTED.items()),
            actor=_id(row.get("sys_updated_by")),
            doubts=tuple(said for said in (doubt, opening_doubt) if said),
        )

    def _instant(self, row: Mapping[str, str | None], name: str) -> tuple[datetime | None, str | None]:
        text = row[name]
        if text is None:
            return None, None
        try:
            at, doubt = instant(text, self._place)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
        if at > self._now:
            raise ValueError(f"{name} lies in the future: {text!r}")
        return at, doubt


def _header(first: "tuple[int, list[str]] | Damaged | None") -> list[str]:
    if first is None:
        raise NoHistory("The file is empty.")
    if isinstance(first, Damaged):
        raise NoHistory(f"The file is no CSV in UTF-8: its line {first.line} {first.why}.")
    names = [name.strip() for name in first[1]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NoHistory(f"These columns stand in the header more than once: {', '.join(twice)[:400]}.")
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise NoHistory(f"This is no log of ServiceNow incidents. These columns are missing: {', '.join(missing)}.")
    return names


def _known(cell: str) -> str | None:
    text = cell.strip()
    return None if text in ("", "?") else text


def _identity(row: Mapping[str, str | None]) -> str:
    stated = "\x1f".join([f"{name}={cell}" for name in _IDENTIFYING if (cell := row.get(name)) is not None])
    return hashlib.sha256(stated.encode()).hexdigest()


@lru_cache(maxsize=10_000)
def _id(text: str | None) -> str | None:
    """`Group 56` → `group-56`. What cannot be spelled in an id is made up for by a digest, so that two stay two."""
    if text is None:
        return None
    folded = " ".join(text.casefold().split())
    plain = _NOT_IN_AN_ID.sub("-", folded).strip("-")
    if plain == folded.replace(" ", "-") and is_opaque_id(plain):
        return plain
    return f"{plain[:47]}-{hashlib.sha256(folded.encode()).hexdigest()[:16]}".lstrip("-")


def _name(text: str | None) -> str | None:
    """One visible line of at most 200 characters."""
    if text is None:
        return None
    if text.isascii() and text.isprintable():
        return " ".join(text.split())[:NAME_LENGTH].strip() or None
    visible = "".join(" " if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") else one for one in text)
    return " ".join(visible.split())[:NAME_LENGTH].strip() or None


def _joined(between: str, *parts: str | None) -> str | None:
    return between.join(part for part in parts if part) or None


def _level(row: Mapping[str, str | None], name: str, lowest: int) -> int | None:
    text = row[name]
    if text is None:
        return None
    found = _LEVEL.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= lowest:
        raise ValueError(f"{name} is none of 1 to {lowest}: {text[:40]!r}")
    return int(found[1])


def _count(row: Mapping[str, str | None], name: str) -> int | None:
    text = row[name]
    if text is None:
        return None
    if _COUNT.fullmatch(text) is None:
        raise ValueError(f"{name} is no count: {text[:40]!r}")
    return int(text)


def _described(number: str, row: Mapping[str, str | None]) -> str:
    lines = [f"servicenow {number}"]
    wanted = {"location": "Location", "opened_by": "Opened by", "caused_by": "Caused by change"}
    lines += [f"{told}: {_name(row[name])}" for name, told in wanted.items() if row.get(name)]
    return "\n".join(lines)
