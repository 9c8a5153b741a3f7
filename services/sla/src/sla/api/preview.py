"""HTTP to previews: a draft agreement over the incidents that are known, and nothing written."""

import asyncio
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, PlainValidator, TypeAdapter
from starlette.responses import Response

from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import FieldError, Invalid
from opsledger_runtime.http import Cursor, Limit, Look, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from sla.api.calendar_bodies import CalendarBody
from sla.api.drafts import AgreementTerms, agreement_command, check_scope, named_calendar
from sla.api.preview_views import PreviewView, preview_view
from sla.calendars import definition_of
from sla.domain.calendar import Calendar, always_open, calendar_from
from sla.domain.commands import DefineCalendar
from sla.domain.definitions import DefinitionState, define_agreement, define_calendar
from sla.domain.preview import METRICS, promise
from sla.preview_findings import Period, Place, Wanted
from sla.previewing import run

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

MOST: Final = 100_000
"""Incidents of one preview: some ten seconds of one processor."""

_YEARS: Final = (1970, 2999)
_UUID: Final = TypeAdapter(UUID)
_HELD: Final = """
select definition::text as definition, false as calendar from agreement_revision
  join agreement on agreement = id and agreement_revision.revision = agreement.revision where id = $1
union all
select definition::text, true from calendar_revision
  join calendar on calendar = id and calendar_revision.revision = calendar.revision where id = $1
"""


def _calendar(value: Any) -> UUID | CalendarBody:
    """An id or a definition; what is wrong is said of the one that it was meant to be."""
    return CalendarBody.model_validate(value) if isinstance(value, dict) else _UUID.validate_python(value)


class DraftBody(AgreementTerms):
    """An agreement as it would be defined; `calendar` is one's id, or a definition as it would be put there."""

    calendar: Annotated[UUID | CalendarBody, PlainValidator(_calendar, json_schema_input_type=UUID | CalendarBody)]


class Asked(BaseModel):
    """Which incidents, and how they are counted. Days are those of `time_zone`, `to` included."""

    begins: Annotated[date | None, Field(alias="from", description="Opened on this day or later.")] = None
    ends: Annotated[date | None, Field(alias="to", description="Opened on this day or earlier.")] = None
    organisation: Annotated[str | None, Field(max_length=64)] = None
    service: Annotated[str | None, Field(max_length=200)] = None
    priority: Annotated[int | None, Field(ge=1, le=5, description="The last that is known.")] = None
    judged: Annotated[bool, Field(description="Only incidents that this agreement judged in fact.")] = False
    time_zone: Annotated[str, Field(max_length=64, description="IANA zone of days and periods.")] = "Asia/Shanghai"
    period: Period = "month"
    most: Annotated[int, Field(ge=1, le=MOST, description="Look at so many incidents, the latest first.")] = MOST
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


Filter = Annotated[Asked, Query()]


def add_preview_routes(router: APIRouter, running: "Running") -> None:
    """The endpoints of previews."""
    doors = running.doors
    turn = asyncio.Semaphore(1)  # each takes a processor for seconds

    @router.post("/agreements/preview", response_model=PreviewView)
    async def preview_new_agreement(
        body: DraftBody, look: Annotated[Look, doors.query("agreement.preview")], asked: Filter
    ) -> Response:
        """What a new agreement would have made of history: how many clocks met, breached, still running, and why.

        Changes nothing. Compared with how each clock was judged in fact.
        """
        async with turn:
            return await _previewed(look, None, body, asked)

    @router.post("/agreements/{agreement}/preview", response_model=PreviewView)
    async def preview_agreement(
        agreement: UUID,
        body: DraftBody,
        look: Annotated[Look, doors.query("agreement.preview")],
        asked: Filter,
    ) -> Response:
        """The same for an agreement that would be replaced, or defined under this id."""
        async with turn:
            return await _previewed(look, agreement, body, asked)


async def _previewed(look: Look, agreement: UUID | None, body: DraftBody, asked: Asked) -> Response:
    check_scope(look.caller, body.organisation)
    begins, ends = _days(asked)
    place = None if asked.cursor is None else _place(asked.cursor, asked.most)
    async with look.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        draft, calendar = await _draft(connection, look.caller, agreement, body, look.now)
        wanted = Wanted(
            agreement=None if agreement is None else str(agreement),
            draft=draft,
            promised=promise(draft, calendar),
            now=look.now,
            zone=ZoneInfo(asked.time_zone),
            period=asked.period,
            organisations=look.organisations(),
            begins=begins,
            ends=ends,
            organisation=asked.organisation,
            service=asked.service,
            priority=asked.priority,
            judged=asked.judged,
            most=asked.most,
            limit=asked.limit,
        )
        found = await run(connection, wanted, place)
    return look.answer(preview_view(found, wanted, later=place is not None).model_dump(mode="json", by_alias=True))


async def _draft(
    connection: Any, caller: Caller, agreement: UUID | None, body: DraftBody, now: datetime
) -> tuple[AgreementDefined, Calendar]:
    """The draft as it would be defined, and its calendar; refused as a definition is."""
    state = await _held(connection, agreement)
    if state.revision:
        held = state.definition
        check_scope(caller, held.organisation if isinstance(held, AgreementDefined) else None, held=True)
    inline = isinstance(body.calendar, CalendarBody)
    if isinstance(body.calendar, CalendarBody):
        calendar = _drawn_up(body.calendar, now)
    else:
        calendar = await named_calendar(connection, body.calendar)
    calendar_id = "" if inline else str(body.calendar)
    command = await agreement_command(connection, agreement, body, calendar_id, calendar, now)
    defined = next(iter(define_agreement(command, state)), state.definition)
    if not isinstance(defined, AgreementDefined):
        raise TypeError(f"{defined!r} is no agreement")
    if defined.kind != "sla":
        problem = FieldError("/kind", "Preview an agreement with a customer: sla.")
        raise Invalid(
            "A preview shows agreements with customers. Those of teams and vendors take effect when they are defined.",
            [problem],
            code="preview_of_customers",
        )
    return defined, calendar


async def _held(connection: Any, agreement: UUID | None) -> DefinitionState:
    row = None if agreement is None else await connection.fetchrow(_HELD, str(agreement))
    if row is None:
        return DefinitionState()
    kind = CalendarDefined if row["calendar"] else AgreementDefined
    return DefinitionState(kind.read(json.loads(row["definition"])))


def _drawn_up(body: CalendarBody, now: datetime) -> Calendar:
    """The calendar of a draft; errors point into `calendar`."""
    try:
        command = DefineCalendar(body.name, definition_of(body.model_dump(exclude={"name"}), now), at=now)
        (defined,) = define_calendar(command, DefinitionState())
    except Invalid as error:
        inside = [FieldError(f"/calendar{one.pointer}", one.detail) for one in error.errors]
        raise Invalid(error.message, inside, error.code) from error
    return calendar_from(defined.model_dump(mode="json"))


def _days(asked: Asked) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the first day to the end of the last.

    Raises:
        Invalid: no such zone, a year out of range, or a last day before the first.
    """
    always_open(asked.time_zone)
    zone = ZoneInfo(asked.time_zone)
    for name, day in (("from", asked.begins), ("to", asked.ends)):
        if day is not None and not _YEARS[0] <= day.year <= _YEARS[1]:
            detail = f"Give a year from {_YEARS[0]} to {_YEARS[1]}."
            raise Invalid(f"{name}: {detail}", [FieldError(f"/{name}", detail)])
    if asked.begins is not None and asked.ends is not None and asked.ends < asked.begins:
        raise Invalid("The last day is before the first.", [FieldError("/to", "Give a day from `from` on.")])
    after = None if asked.ends is None else asked.ends + timedelta(days=1)
    begins, ends = (
        None if day is None else datetime.combine(day, time(), zone).astimezone(UTC) for day in (asked.begins, after)
    )
    return begins, ends


def _place(cursor: str, most: int) -> Place:
    at, incident, metric, seen = decode_cursor(cursor, datetime, str, int, int)
    if not 0 <= metric < len(METRICS) or not 0 <= seen <= most:
        raise Invalid("The cursor is not one of this list. Begin again without it.", code="bad_cursor")
    return Place(at, incident, metric, seen)
