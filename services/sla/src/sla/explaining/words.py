"""Words of a language for a clock's account: durations, instants of a time zone, whole lines. Pure.

An instant within a week of the others is a weekday and a time; otherwise it has its date, and the year where there
are two. Where a local time comes twice, its offset is said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from sla.explaining import sentences_en, sentences_zh
from sla.explaining.lines import Account, Line, Names, Reason
from sla.explaining.moves import Move
from sla.explaining.notes import Policy

Language = Literal["zh-CN", "en"]
CATALOGUES: Final[dict[Language, ModuleType]] = {"zh-CN": sentences_zh, "en": sentences_en}
REASONS: Final = ("awaiting_requester", "awaiting_third_party", "awaiting_vendor", "awaiting_change", "other")
LONGEST_TEXT: Final = 60
"""Characters of a text from outside (a hold reason, a holiday's name) that a sentence repeats."""

_NEAR: Final = timedelta(days=6)
_SPACE: Final = re.compile(r"(?<=[\u4e00-\u9fff\uff08-\uff1b]) (?=[\u4e00-\u9fff])")
"""Chinese has no spaces between characters; templates have them for values that begin with a digit."""

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Words:
    """How one language says things of one account."""

    language: Language
    zone: ZoneInfo
    style: Literal["near", "far", "year"]

    def sentence(self, key: str, **values: Any) -> str:
        """The sentence of a key, its values put into words."""
        text: str = CATALOGUES[self.language].SENTENCES[key]
        return _SPACE.sub("", text.format(**{name: self.value(value) for name, value in values.items()}))

    def value(self, value: Any) -> str:
        """A value of a line, as it stands in a sentence."""
        match value:
            case datetime():
                return self.instant(value)
            case timedelta():
                return self.duration(value)
            case Reason():
                return self._reason(value.code)
            case Policy():
                return "" if value.code == "from_opening" else self._word(value.code)
            case Names():
                return self._names(value)
            case _:
                return str(value)

    def duration(self, amount: timedelta) -> str:
        """Hours, minutes and seconds; never days, since a day of working time means something else to everybody."""
        seconds = max(amount, timedelta(0)) // _SECOND
        parts = (("hours", seconds // 3600), ("minutes", seconds // 60 % 60), ("seconds", seconds % 60))
        return " ".join(self._word(name, n=n) for name, n in parts if n) or self._word("nothing")

    def instant(self, at: datetime) -> str:
        """The local date and time, as precise as the account needs."""
        return self._dated(f"instant_{self.style}", at)

    def span(self, start: datetime, end: datetime) -> str:
        """From one instant to another; the second without its day where it is the same."""
        local = [one.astimezone(self.zone) for one in (start, end)]
        shown = self._time(end) if local[0].date() == local[1].date() else self.instant(end)
        to = self._word("to_before_digit" if shown[:1].isascii() else "to_before_word")
        return f"{self.instant(start)}{to}{shown}"

    def day(self, at: datetime) -> str:
        """The local date."""
        return self._dated("day", at)

    def time(self, at: datetime) -> str:
        """The local time."""
        return self._time(at)

    def line(self, line: Line) -> str:
        """The sentence of a line."""
        if line.end is None:
            text = self.sentence(line.kind, at=line.start, **line.values)
        else:
            key = "cancelled_span" if line.kind == "cancelled" else line.kind
            text = self.sentence(key, span=self.span(line.start, line.end), **line.values)
            shift = _offset(line.end, self.zone) - _offset(line.start, self.zone)
            if shift and line.counted:
                text += self.sentence("clocks_forward" if shift > timedelta(0) else "clocks_back", shift=abs(shift))
        if (
            line.end is None
            and line.event is not None
            and line.event.late
            and line.kind not in ("withdrawn", "restated")
        ):
            text += self.sentence("late", known=line.event.known_at)
        return text

    def closing(self, account: Account) -> str:
        """The line that sums up, and why the due instant moved."""
        reading = account.reading
        values: dict[str, Any] = {"elapsed": reading.elapsed}
        if reading.state == "cancelled":
            return self.sentence("closing_cancelled", **values)
        if reading.target is None or reading.remaining is None:
            return self.sentence("closing_without_target", **values)
        values["target"] = timedelta(seconds=reading.target)
        due = reading.due or account.due_if_resumed or account.as_of
        over = account.breached_at is not None
        if reading.state == "stopped":
            kind = "closing_met" if reading.met else "closing_missed"
        elif reading.state == "paused":
            kind = "closing_paused_overdue" if over else "closing_paused"
        else:
            kind = "closing_overdue" if over else "closing_running"
        values |= (
            {"over": account.over}
            if kind.endswith(("missed", "overdue"))
            else {"remaining": max(reading.remaining, timedelta(0))}
        )
        said = self.sentence(kind, **values, due=due) + self.moves(account)
        if account.due_provisional:
            said += self.sentence("due_provisional", day=f"{account.calendar.confirmed_through}")
        return said

    def moves(self, account: Account) -> str:
        """Why the due instant is not the first one; nothing where there never was one."""
        if account.first_due is None:
            return ""
        if not account.moves:
            return self.sentence("due_unmoved")
        told = [self.sentence("due_first", due=account.first_due), *(self.move(move) for move in account.moves)]
        return "".join(told)

    def move(self, move: Move) -> str:
        """Why the due instant moved once."""
        values: dict[str, Any] = {"due": move.after}
        if move.because in ("pause", "standing"):
            values["working"] = move.working
        if move.because == "pause":
            values["reason"] = Reason(move.reason or "")
        return self.sentence(f"moved_{move.because}", **values)

    def metric(self, metric: str) -> str:
        """A metric's name."""
        return self._word(metric)

    def _word(self, key: str, **values: Any) -> str:
        text: str = CATALOGUES[self.language].WORDS[key]
        return text.format(**values)

    def _dated(self, key: str, at: datetime) -> str:
        local, words = at.astimezone(self.zone), CATALOGUES[self.language]
        return self._word(
            key,
            weekday=words.WEEKDAYS[local.weekday()],
            weekday_long=words.WEEKDAYS_LONG[local.weekday()],
            day=local.day,
            month=words.MONTHS[local.month - 1],
            year=local.year,
            time=self._time(at),
        )

    def _time(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        text = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        return f"{text} (UTC{local:%z})" if twice else text

    def _reason(self, code: str) -> str:
        known: dict[str, str] = CATALOGUES[self.language].WORDS
        if not code:
            return known["no_reason"]
        return known[code] if code in REASONS else short(code)

    def _names(self, given: Names) -> str:
        first = 0 if self.language == "zh-CN" else 1
        found = [name[first] or name[1 - first] for name in given.names]
        text = self._word("between_names").join(dict.fromkeys(short(one) for one in found if one))
        return self._word("names", names=text) if text else ""


def words_of(account: Account, language: Language) -> Words:
    """The words for an account: its zone, and as much of a date as its instants need."""
    zone = ZoneInfo(account.calendar.time_zone)
    instants: Sequence[datetime | None] = (
        *(line.start for line in account.lines),
        *(line.event.known_at for line in account.lines if line.event is not None and line.event.late),
        *(move.after for move in account.moves),
        *(account.as_of, account.first_due, account.reading.due, account.due_if_resumed),
    )
    known = [at for at in instants if at is not None]
    first, last = min(known).astimezone(zone), max(known).astimezone(zone)
    if last - first < _NEAR:
        return Words(language, zone, "near")
    return Words(language, zone, "far" if first.year == last.year else "year")


def short(text: str) -> str:
    """A text from outside on one line, cut where it is long."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return plain if len(plain) <= LONGEST_TEXT else f"{plain[: LONGEST_TEXT - 1]}…"


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)
