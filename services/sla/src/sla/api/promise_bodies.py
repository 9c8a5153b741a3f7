"""What a request says of a promise."""

import re
import unicodedata
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from opsledger_events import names
from opsledger_events.contexts.sla import PromiseAwaits
from opsledger_events.envelope import parse_instant
from opsledger_runtime.errors import FieldError, Invalid
from sla.api.definitions import Body
from sla.domain.calendar import Calendar, add, add_working_days, minutes
from sla.settings import PromiseSettings

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_INVISIBLE: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def instant(value: Any) -> datetime:
    """An RFC 3339 instant of a sensible year.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None or not 1970 <= int(value[:4]) <= 9000:
        raise ValueError("Give an RFC 3339 instant with an offset, for example 2026-11-22T08:30:00+08:00.")
    return parse_instant(value.upper())


def _seen(text: str) -> str:
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValueError("Write something that can be read.")
    return text


Instant = Annotated[datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_seen)]


class Due(Body):
    """Working time from now on a calendar: either hours, or days and a local time (else when the day closes)."""

    working_hours: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    working_days: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = None
    at: Annotated[str, Field(max_length=5, description="HH:MM, with working_days.")] | None = None


class Remind(Body):
    """When to remind: so many seconds before it is due, or when a share of the working time until then has passed."""

    seconds_before: Annotated[int, Field(strict=True, ge=1, le=315_360_000)] | None = None
    percent: Annotated[int, Field(strict=True, ge=1, le=99)] | None = None


class Dated(Body):
    """When it is due: an instant, or working time on a calendar, which is the usual one unless named."""

    due_at: Instant | None = None
    due: Due | None = None
    calendar: Annotated[str, Field(max_length=36, pattern=r"^[0-9a-fA-F-]{36}$")] | None = None
    remind: Remind | None = None


class PromiseBody(Dated):
    """A promise to a customer. Without a due instant it is due after the usual time, and the answer says so.

    `owner` has to keep it: whoever records it unless named, null the team. `awaits` says what keeps it beside a person
    who says so.
    """

    incident: Annotated[str, Field(min_length=1, max_length=200, description="The incident's id or its number.")]
    text: Text
    owner: names.OpaqueId | None = None
    awaits: PromiseAwaits = "other"
    reason: names.Reason | None = None


class MoveBody(Dated):
    """Another due instant, agreed with the customer, and why."""

    explanation: Text


class KeepBody(Body):
    """When it was kept, if not now."""

    occurred_at: Instant | None = None


class WithdrawBody(Body):
    """Why nothing is owed any more."""

    explanation: Text


class PassOnBody(Body):
    """Who has to keep it from now on; null: the team."""

    owner: names.OpaqueId | None


def due_of(body: Dated, calendar: Calendar, now: datetime, usual: timedelta | None) -> tuple[datetime, bool]:
    """When it is due, and whether that is counted on the calendar. `usual`: where nothing is said.

    Raises:
        Invalid: it is said twice, not at all, or cannot be counted.
    """
    if body.due_at is not None:
        if body.due is not None:
            problem = FieldError("/due", "Leave out one of due and due_at.")
            raise Invalid("It is due at one instant. Give due or due_at.", [problem], code="promise_due_twice")
        return body.due_at, False
    due = body.due
    if due is None:
        if usual is None:
            problem = FieldError("/due_at", "An instant ahead, or due.")
            raise Invalid("Say when it is due now.", [problem], code="promise_due_missing")
        return add(calendar, now, usual), True
    if (due.working_hours is None) == (due.working_days is None) or (due.at is not None and due.working_days is None):
        problem = FieldError("/due", "working_hours alone, or working_days with or without at.")
        raise Invalid("Give working hours or working days.", [problem], code="promise_due_twice")
    if due.working_hours is not None:
        return add(calendar, now, timedelta(hours=due.working_hours)), True
    at = None if due.at is None else minutes(due.at, "/due/at")
    return add_working_days(calendar, now, due.working_days or 1, at), True


def reminder_wish(body: Dated, settings: PromiseSettings) -> tuple[timedelta | None, int]:
    """How long before it is due, or else after what share of the time.

    Raises:
        Invalid: both are given.
    """
    wish = body.remind or Remind()
    if wish.seconds_before is not None and wish.percent is not None:
        problem = FieldError("/remind", "Leave out one of seconds_before and percent.")
        raise Invalid("One reminder is enough. Give seconds or a percentage.", [problem], code="promise_remind_twice")
    before = None if wish.seconds_before is None else timedelta(seconds=wish.seconds_before)
    return before, settings.remind_percent if wish.percent is None else wish.percent
