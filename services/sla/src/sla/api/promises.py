"""HTTP to promises: made, moved, passed on, kept and given up, and what became of them."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsledger_events.names import OpaqueId, is_opaque_id
from opsledger_runtime import ids
from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.store import Transaction
from sla.api.promise_bodies import (
    Dated,
    KeepBody,
    MoveBody,
    PassOnBody,
    PromiseBody,
    WithdrawBody,
    due_of,
    instant,
    reminder_wish,
)
from sla.domain.calendar import Calendar
from sla.domain.commands import Subject
from sla.domain.promise_commands import (
    Command,
    KeepPromise,
    MakePromise,
    MovePromise,
    PassOnPromise,
    WithdrawPromise,
)
from sla.domain.promise_decider import PROMISE
from sla.projections.definitions import latest_calendar
from sla.projections.incident_facts import named, subjects_of
from sla.promise_views import SELECT, PromiseDetail, PromiseView, promise_detail, promise_view
from sla.promising import calendar_for, make, reminder, tell
from sla.settings import PromiseSettings

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

HOME: Final = "/api/sla/v1/promises"
LEEWAY: Final = timedelta(minutes=5)
"""A clock a little ahead is taken for now."""

_VIEW: Final[dict[int | str, dict[str, Any]]] = {200: {"model": PromiseView}}
_MADE: Final[dict[int | str, dict[str, Any]]] = {201: {"model": PromiseView}}
_LISTED: Final = (
    f"{SELECT} where ($1::text[] is null or promise.organisation = any($1))"
    " and ($2::text is null or promise.incident = $2 or promise.number = $2)"
    " and ($3::text is null or promise.owner = $3) and ($4::text is null or promise.team = $4)"
    " and ($5::timestamptz is null or promise.due_at < $5)"
    " and ($6::text is null or $6 = case when promise.state = 'open' and promise.due_at <= $7 then 'broken'"
    " else promise.state end or ($6 = 'broken' and promise.broken_at is not null))"
    " and ($8::timestamptz is null or (promise.due_at, promise.id) > ($8, $9::text))"
    " order by promise.due_at, promise.id limit $10"
)


def add_promise_routes(router: APIRouter, running: "Running") -> None:
    """The endpoints of promises."""
    PromiseSettings.read(os.environ)  # a wrong variable is told of at the start
    _add_queries(router, running)
    _add_making(router, running)
    _add_actions(router, running)


def _add_queries(router: APIRouter, running: "Running") -> None:
    doors = running.doors

    @router.get("/promises")
    async def list_promises(
        look: Annotated[Look, doors.query("promise.read")],
        incident: Annotated[str | None, Query(max_length=200, description="The incident's id or its number.")] = None,
        owner: Annotated[OpaqueId | None, Query()] = None,
        team: Annotated[OpaqueId | None, Query()] = None,
        state: Literal["open", "kept", "broken", "withdrawn"] | None = None,
        due_before: Annotated[str | None, Query(max_length=64, description="RFC 3339.")] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[PromiseView]:
        """Promises as of now, those due first at the beginning. One that was kept late is `kept`, and `broken` too."""
        after: list[Any] = [None, None] if cursor is None else decode_cursor(cursor, datetime, str)
        rows = await look.pool.fetch(
            _LISTED,
            look.organisations(),
            incident,
            owner,
            team,
            _before(due_before),
            state,
            look.now,
            *after,
            limit + 1,
        )
        return look.page(rows, limit, lambda row: (row["due_at"], row["id"]), lambda row: promise_view(row, look.now))

    @router.get("/promises/{promise}", response_model=PromiseDetail)
    async def get_promise(promise: UUID, look: Annotated[Look, doors.query("promise.read")]) -> Response:
        """A promise as of now, in one sentence of each language."""
        row = await look.pool.fetchrow(
            f"{SELECT} where promise.id = $1 and ($2::text[] is null or promise.organisation = any($2))",
            str(promise),
            look.organisations(),
        )
        if row is None:
            raise NotFound("There is no such promise.")
        found = await latest_calendar(look.pool, PromiseSettings.read(os.environ).calendar)
        zone = ZoneInfo("UTC" if found is None else found[1].time_zone)
        return look.answer(promise_detail(row, look.now, zone).model_dump(mode="json"), version=row["version"])


def _add_making(router: APIRouter, running: "Running") -> None:
    doors = running.doors

    @router.post("/promises", status_code=201, responses=_MADE)
    async def make_promise(body: PromiseBody, ask: Annotated[Ask, doors.command("promise.make")]) -> Response:
        """Record what a customer was promised."""
        settings = PromiseSettings.read(os.environ)

        async def work(tx: Transaction) -> Answer:
            subject = await named(tx.connection, body.incident)
            if subject is None or not ask.caller.sees(subject.organisation):
                raise NotFound("There is no such incident, or it is not known here yet.", code="promise_no_incident")
            calendar_id, revision, calendar = await _calendar(tx, body, settings)
            due, counted = due_of(body, calendar, tx.now, settings.usual(body.awaits))
            command = MakePromise(
                subject=subject,
                at=tx.now,
                text=body.text,
                due=due,
                remind=_remind(body, settings, calendar, tx.now, due),
                source="desk",
                awaits=body.awaits,
                owner=_owner(body, ask),
                reason=body.reason,
                promised_by=ask.caller.subject,
                due_by_default=body.due is None and body.due_at is None,
                calendar=calendar_id if counted else None,
                calendar_revision=revision if counted else None,
            )
            promise = str(ids.derived_id("promise", str(ask.command_id)))
            await make(tx, promise, command, ask.metadata(subject.organisation))
            return await _answer(tx, promise, status=201)

        return await ask.run(work)


def _add_actions(router: APIRouter, running: "Running") -> None:
    doors = running.doors
    settings = PromiseSettings.read(os.environ)

    @router.post("/promises/{promise}/keep", responses=_VIEW)
    async def keep_promise(
        promise: UUID, ask: Annotated[Ask, doors.command("promise.settle")], body: KeepBody | None = None
    ) -> Response:
        """It is done. One that was broken stays so in the count."""

        async def command(tx: Transaction, subject: Subject) -> Command:
            return KeepPromise(subject=subject, at=_happened(body, tx.now))

        return await _act(ask, promise, command)

    @router.post("/promises/{promise}/move", responses=_VIEW)
    async def move_promise(
        promise: UUID, body: MoveBody, ask: Annotated[Ask, doors.command("promise.settle")]
    ) -> Response:
        """Another due instant was agreed with the customer, before it was broken."""

        async def command(tx: Transaction, subject: Subject) -> Command:
            _, _, calendar = await _calendar(tx, body, settings)
            due, _ = due_of(body, calendar, tx.now, None)
            remind = _remind(body, settings, calendar, tx.now, due)
            return MovePromise(subject=subject, at=tx.now, due=due, remind=remind, explanation=body.explanation)

        return await _act(ask, promise, command)

    @router.post("/promises/{promise}/withdraw", responses=_VIEW)
    async def withdraw_promise(
        promise: UUID, body: WithdrawBody, ask: Annotated[Ask, doors.command("promise.settle")]
    ) -> Response:
        """Nothing is owed any more, for example because the customer does not want it."""

        async def command(tx: Transaction, subject: Subject) -> Command:
            return WithdrawPromise(subject=subject, at=tx.now, explanation=body.explanation)

        return await _act(ask, promise, command)

    @router.post("/promises/{promise}/pass-on", responses=_VIEW)
    async def pass_on_promise(
        promise: UUID, body: PassOnBody, ask: Annotated[Ask, doors.command("promise.settle")]
    ) -> Response:
        """Somebody else has to keep it."""

        async def command(tx: Transaction, subject: Subject) -> Command:
            return PassOnPromise(subject=subject, at=tx.now, owner=body.owner)

        return await _act(ask, promise, command)


async def _act(ask: Ask, promise: UUID, command: Callable[[Transaction, Subject], Any]) -> Response:
    async def work(tx: Transaction) -> Answer:
        loaded = await tx.load(PROMISE, str(promise))
        known = await subjects_of(tx.connection, [loaded.state.incident]) if loaded.state.made else {}
        subject = known.get(loaded.state.incident)
        if subject is None or not ask.caller.sees(subject.organisation):
            raise NotFound("There is no such promise.")
        metadata = ask.metadata(subject.organisation)
        await tell(tx, str(promise), await command(tx, subject), metadata, expected_version=ask.expected_version)
        return await _answer(tx, str(promise))

    return await ask.run(work)


async def _answer(tx: Transaction, promise: str, *, status: int = 200) -> Answer:
    await tx.flush()
    row: Any = await tx.connection.fetchrow(f"{SELECT} where promise.id = $1", promise)
    if row is None:
        raise LookupError(f"promise {promise} has no row")
    shown = promise_view(row, tx.now).model_dump(mode="json")
    location = f"{HOME}/{promise}" if status == 201 else None
    return Answer(shown, status=status, version=row["version"], location=location)


async def _calendar(tx: Transaction, body: Dated, settings: PromiseSettings) -> tuple[str, int, Calendar]:
    wanted = settings.calendar if body.calendar is None else body.calendar.lower()
    return wanted, *await calendar_for(tx.connection, wanted)


def _remind(
    body: Dated, settings: PromiseSettings, calendar: Calendar, now: datetime, due: datetime
) -> datetime | None:
    before, percent = reminder_wish(body, settings)
    return reminder(calendar, now, due, percent) if before is None else due - before


def _owner(body: PromiseBody, ask: Ask) -> str | None:
    if "owner" in body.model_fields_set:
        return body.owner
    return ask.caller.subject if is_opaque_id(ask.caller.subject) and not ask.caller.machine else None


def _happened(body: KeepBody | None, now: datetime) -> datetime:
    if body is None or body.occurred_at is None:
        return now
    if body.occurred_at > now + LEEWAY:
        problem = FieldError("/occurred_at", f"Not after {now.isoformat(timespec='seconds')}.")
        raise Invalid("It cannot have happened in the future.", [problem], code="in_the_future")
    return min(body.occurred_at, now)


def _before(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return instant(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise Invalid(str(error), [FieldError("due_before", str(error))], code="bad_instant") from error
