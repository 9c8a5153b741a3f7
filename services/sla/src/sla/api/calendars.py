"""HTTP to calendars: defined whole, looked at day by day, and given exceptions from files."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsledger_events.contexts.sla import CalendarDefined
from opsledger_runtime.errors import FieldError, Forbidden, Invalid, NotFound, RuleViolated
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.store import Transaction
from sla.api.calendar_bodies import CalendarBody, FileBody
from sla.api.calendar_views import CalendarDayView, days_view, with_warnings
from sla.api.definitions import defined, definition, definitions, loaded_for_change
from sla.calendars import asked_of, definition_of
from sla.day_files.csv_file import read_csv
from sla.day_files.ics_file import read_ics
from sla.day_files.report import Report
from sla.domain.agreements import unreachable
from sla.domain.calendar import Calendar, calendar_from, local_date
from sla.domain.calendar.days import FIRST_YEAR, LAST_YEAR
from sla.domain.commands import DefineCalendar
from sla.domain.definitions import DEFINITION
from sla.messages import ZH
from sla.projections.definitions import agreements_on

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

_MOST_DAYS_SHOWN: Final = 366


def add_calendar_routes(router: APIRouter, running: "Running") -> None:
    """The endpoints of calendars."""
    doors = running.doors

    @router.get("/calendars")
    async def list_calendars(
        look: Annotated[Look, doors.query("calendar.read")], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[dict[str, Any]]:
        """Calendars by id, without their dated days."""
        return await definitions(look, "calendar", limit, cursor, _without_days)

    @router.get("/calendars/{calendar}")
    async def get_calendar(calendar: UUID, look: Annotated[Look, doors.query("calendar.read")]) -> Response:
        """A calendar and its version, with a warning where its days are not known for long any more."""
        shown, version = await definition(look, "calendar", calendar)
        return look.answer(with_warnings(shown, look.now), version=version)

    @router.get("/calendars/{calendar}/days")
    async def get_days(
        calendar: UUID,
        look: Annotated[Look, doors.query("calendar.read")],
        since: Annotated[date | None, Query(alias="from", description="Today, if left out.")] = None,
        until: Annotated[date | None, Query(alias="to", description="Included; 30 days later, if left out.")] = None,
    ) -> list[CalendarDayView]:
        """Day by day whether the calendar works, in which hours, and why; at most 366 days."""
        shown, _ = await definition(look, "calendar", calendar)
        found = calendar_from(shown)
        first, last = _span_of_days(found, since, until, look)
        return days_view(found, first, last)

    @router.put("/calendars/{calendar}")
    async def put_calendar(
        calendar: UUID, body: CalendarBody, ask: Annotated[Ask, doors.command("calendar.define")]
    ) -> Response:
        """Define a calendar under an id you choose, or replace it (If-Match).

        Running clocks keep their revision until the new one is applied to them.
        """
        check_scope(ask)

        async def work(tx: Transaction) -> Answer:
            loaded = await loaded_for_change(tx, ask, calendar)
            asked = body.model_dump(exclude={"name"})
            command = DefineCalendar(body.name, definition_of(asked, tx.now), at=tx.now)
            await _check_agreements(tx, str(calendar), command)
            return await defined(
                tx, ask, "calendar", calendar, command, loaded, None, lambda shown: with_warnings(shown, tx.now)
            )

        return await ask.run(work)

    @router.post("/calendars/{calendar}/exceptions/csv")
    async def import_csv(
        calendar: UUID, body: FileBody, ask: Annotated[Ask, doors.command("calendar.define")]
    ) -> Response:
        """Add exceptions from CSV: date,kind,opens,closes,name_zh,name_en. With a bad line nothing is changed."""
        return await _import(calendar, body, ask, read_csv)

    @router.post("/calendars/{calendar}/exceptions/ics")
    async def import_ics(
        calendar: UUID, body: FileBody, ask: Annotated[Ask, doors.command("calendar.define")]
    ) -> Response:
        """Add exceptions from the all-day events of an iCalendar file. With a bad event nothing is changed."""
        return await _import(calendar, body, ask, read_ics)


async def _import(calendar: UUID, body: FileBody, ask: Ask, read: Callable[[str], Report]) -> Response:
    check_scope(ask)
    report = await asyncio.to_thread(read, body.text)

    async def work(tx: Transaction) -> Answer:
        loaded = await tx.load(DEFINITION, str(calendar))
        before = loaded.state.definition
        if not isinstance(before, CalendarDefined):
            raise NotFound("There is no such calendar.")
        if report.bad and not body.dry_run:
            raise Invalid(
                f"{len(report.bad) + report.unreported} lines of the file are wrong; nothing was changed. Correct "
                "them, or look at all of them with dry_run.",
                [FieldError("/text", f"Line {bad.line}: {bad.detail}") for bad in report.bad],
                code="bad_lines",
            )
        asked = asked_of(before)
        own = {one["date"]: one for one in asked["exceptions"]}
        changed = [when for when, day in report.days.items() if _said(own.get(when)) != _said(day)]
        asked["exceptions"] = [day for _, day in sorted({**own, **report.days}.items())]
        if body.confirmed_through is not None:
            asked["confirmed_through"] = body.confirmed_through
        command = DefineCalendar(before.name, definition_of(asked, tx.now), at=tx.now)
        await _check_agreements(tx, str(calendar), command)
        told: dict[str, Any] = {
            "lines": report.lines,
            "days": [report.days[when] for when in sorted(report.days)],
            "changed": sorted(changed),
            "bad": [
                {"line": bad.line, "code": bad.code, "detail": bad.detail, "detail_zh": ZH[bad.code]}
                for bad in report.bad
            ],
            "unreported": report.unreported,
            "applied": not body.dry_run,
        }
        if body.dry_run:
            return Answer(told, version=loaded.version)
        answer = await defined(tx, ask, "calendar", calendar, command, loaded, None)
        return Answer({**told, "revision": answer.body["revision"]}, version=answer.version)

    return await ask.run(work)


def _said(day: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a day says, however it was given."""
    return day and {name: value for name, value in day.items() if value is not None and name != "source"}


def _span_of_days(calendar: Calendar, since: date | None, until: date | None, look: Look) -> tuple[date, date]:
    first = _in_range("from", since or local_date(calendar, look.now))
    last = _in_range("to", until or first + timedelta(days=30))
    if not 0 <= (last - first).days < _MOST_DAYS_SHOWN:
        raise Invalid(
            f"Ask for 1 to {_MOST_DAYS_SHOWN} days, with to not before from.",
            [FieldError("/to", f"Up to {_MOST_DAYS_SHOWN - 1} days after from.")],
            code="bad_span",
        )
    return first, last


def _in_range(name: str, day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Invalid(
            f"The year {day.year} is out of range. Ask for days of {FIRST_YEAR} to {LAST_YEAR}.",
            [FieldError(f"/{name}", f"A date of {FIRST_YEAR} to {LAST_YEAR}.")],
            code="year_out_of_range",
        )
    return day


def _without_days(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in ("days", "exceptions")}


def check_scope(ask: Ask) -> None:
    """Raises Forbidden where the caller is limited to some organisations."""
    if ask.caller.organisations is not None:
        raise Forbidden("Calendars are shared by all organisations; your token is limited to some.")


async def _check_agreements(tx: Transaction, calendar: str, command: DefineCalendar) -> None:
    """Hours too rare for the agreements that name the calendar would leave their incidents without a due date."""
    wanted = calendar_from(command.definition)
    for agreement in await agreements_on(tx.connection, calendar):
        if unreachable(agreement.targets, wanted, tx.now):
            raise RuleViolated(
                f"The agreement “{agreement.name}” has a target that these hours never reach. Open more hours, or"
                " shorten the target first.",
                rule="target_out_of_reach",
            )
