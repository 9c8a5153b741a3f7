"""HTTP to commands and queries of sla, under /api/sla/v1. Definitions are replaced whole, with If-Match."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsledger_events.contexts.sla import AgreementDefined
from opsledger_runtime.errors import Forbidden, NotFound, RuleViolated
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, Problem, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.store import Loaded, Transaction
from sla.agreement_drafts import AgreementBody, agreement_command, check_scope, named_calendar
from sla.api_preview import add_preview_routes
from sla.calendar_bodies import CalendarBody
from sla.domain.calendar import calendar_from
from sla.domain.commands import DefineAgreement, DefineCalendar
from sla.domain.definitions import DEFINITION, DefinitionState, reaches
from sla.views import SELECT, ClockTrace, ClockView, clock_trace, clock_view

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def routes(running: "Running") -> APIRouter:
    """The endpoints of one running service."""
    router = APIRouter()
    doors = running.doors

    @router.get("/clocks")
    async def list_clocks(
        look: Annotated[Look, doors.query("clock.read")],
        incident: Annotated[str | None, Query(max_length=200, description="The incident's id or its number.")] = None,
        state: Literal["running", "paused", "stopped", "cancelled"] | None = None,
        metric: Literal["response", "resolution"] | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[ClockView]:
        """Clocks as of now, in the order in which they started."""
        after: list[Any] = [None, None] if cursor is None else decode_cursor(cursor, datetime, str)
        rows = await look.pool.fetch(
            f"{SELECT} where ($1::text[] is null or organisation = any($1))"
            " and ($2::text is null or clock.incident = $2 or clock.number = $2)"
            " and ($3::text is null or state = $3) and ($4::text is null or metric = $4)"
            " and ($5::timestamptz is null or (started_at, id) > ($5, $6::text))"
            " order by started_at, id limit $7",
            look.organisations(),
            incident,
            state,
            metric,
            *after,
            limit + 1,
        )
        return look.page(rows, limit, lambda row: (row["started_at"], row["id"]), lambda row: clock_view(row, look.now))

    @router.get("/clocks/{clock}", response_model=ClockTrace)
    async def get_clock(clock: UUID, look: Annotated[Look, doors.query("clock.read")]) -> Response:
        """A clock as of now, with what made it run and pause."""
        row = await look.pool.fetchrow(
            f"{SELECT} where clock.id = $1 and ($2::text[] is null or organisation = any($2))",
            str(clock),
            look.organisations(),
        )
        if row is None:
            raise NotFound("There is no such clock.")
        return look.answer(clock_trace(row, look.now).model_dump(mode="json"), version=row["version"])

    @router.get("/calendars")
    async def list_calendars(
        look: Annotated[Look, doors.query("calendar.read")], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[dict[str, Any]]:
        """Calendars by id."""
        return await _definitions(look, "calendar", limit, cursor)

    @router.get("/calendars/{calendar}")
    async def get_calendar(calendar: UUID, look: Annotated[Look, doors.query("calendar.read")]) -> Response:
        """A calendar and its version."""
        return await _definition(look, "calendar", calendar)

    @router.put("/calendars/{calendar}")
    async def put_calendar(
        calendar: UUID, body: CalendarBody, ask: Annotated[Ask, doors.command("calendar.define")]
    ) -> Response:
        """Define a calendar under an id you choose, or replace it (If-Match); running clocks keep their revision."""
        if ask.caller.organisations is not None:
            raise Forbidden("Calendars are shared by all organisations; your token is limited to some.")

        async def work(tx: Transaction) -> Answer:
            loaded = await _loaded(tx, ask, calendar)
            command = DefineCalendar(body.name, body.model_dump(exclude={"name"}))
            await _check_agreements(tx, str(calendar), command)
            return await _defined(tx, ask, "calendar", calendar, command, loaded, None)

        return await ask.run(work)

    @router.get("/agreements")
    async def list_agreements(
        look: Annotated[Look, doors.query("agreement.read")], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[dict[str, Any]]:
        """Agreements by id: those for everybody and those of the caller's organisations."""
        return await _definitions(look, "agreement", limit, cursor)

    @router.get("/agreements/{agreement}")
    async def get_agreement(agreement: UUID, look: Annotated[Look, doors.query("agreement.read")]) -> Response:
        """An agreement and its version."""
        return await _definition(look, "agreement", agreement)

    @router.put("/agreements/{agreement}")
    async def put_agreement(
        agreement: UUID, body: AgreementBody, ask: Annotated[Ask, doors.command("agreement.define")]
    ) -> Response:
        """Define an agreement under an id you choose, or replace it (If-Match); running clocks keep their revision."""
        check_scope(ask.caller, body.organisation)

        async def work(tx: Transaction) -> Answer:
            # One writer at a time, so that two agreements cannot take one selector.
            await tx.connection.execute("lock table agreement in share row exclusive mode")
            loaded = await _loaded(tx, ask, agreement)
            if loaded.version:
                held = loaded.state.definition
                check_scope(ask.caller, held.organisation if isinstance(held, AgreementDefined) else None, held=True)
            calendar = await named_calendar(tx.connection, body.calendar)
            command = await agreement_command(tx.connection, agreement, body, str(body.calendar), calendar, tx.now)
            return await _defined(tx, ask, "agreement", agreement, command, loaded, body.organisation)

        return await ask.run(work)

    add_preview_routes(router, running)
    return router


async def _loaded(tx: Transaction, ask: Ask, aggregate: UUID) -> Loaded[DefinitionState]:
    loaded = await tx.load(DEFINITION, str(aggregate))
    if loaded.version and ask.expected_version is None:
        raise Problem("if_match_required")
    return loaded


async def _defined(
    tx: Transaction,
    ask: Ask,
    kind: str,
    aggregate: UUID,
    command: DefineCalendar | DefineAgreement,
    loaded: Loaded[DefinitionState],
    organisation: str | None,
) -> Answer:
    await tx.execute(
        DEFINITION, str(aggregate), command, ask.metadata(organisation), expected_version=ask.expected_version
    )
    after = await tx.load(DEFINITION, str(aggregate))
    definition = after.state.definition
    body = {} if definition is None else definition.model_dump(mode="json")
    return Answer(
        {"id": str(aggregate), **body},
        status=200 if loaded.version else 201,
        version=after.version,
        location=None if loaded.version else f"/api/sla/v1/{kind}s/{aggregate}",
    )


async def _definitions(look: Look, kind: str, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
    after = None if cursor is None else decode_cursor(cursor, str)[0]
    rows = await look.pool.fetch(
        f"{_select(kind)} and ($2::text is null or {kind}.id > $2) order by {kind}.id limit $3",
        look.organisations(),
        after,
        limit + 1,
    )
    return look.page(rows, limit, lambda row: (row["id"],), _shown)


async def _definition(look: Look, kind: str, aggregate: UUID) -> Response:
    row = await look.pool.fetchrow(f"{_select(kind)} and {kind}.id = $2", look.organisations(), str(aggregate))
    if row is None:
        raise NotFound(f"There is no such {kind}.")
    return look.answer(_shown(row), version=row["version"])


def _select(kind: str) -> str:
    scope = "organisation is null or organisation = any($1)" if kind == "agreement" else "true"
    return (
        f"select {kind}.id, {kind}.version, {kind}_revision.definition::text as definition from {kind}"
        f" join {kind}_revision on {kind}_revision.{kind} = {kind}.id"
        f" and {kind}_revision.revision = {kind}.revision where ($1::text[] is null or {scope})"
    )


def _shown(row: Any) -> dict[str, Any]:
    return {"id": row["id"], **json.loads(row["definition"])}


async def _check_agreements(tx: Transaction, calendar: str, command: DefineCalendar) -> None:
    """Hours too rare for the agreements that name the calendar would leave their incidents without a due date."""
    wanted = calendar_from(command.definition)
    rows = await tx.connection.fetch(
        "select definition::text as definition from agreement_revision join agreement on id = agreement"
        " and agreement_revision.revision = agreement.revision where definition->>'calendar' = $1",
        calendar,
    )
    for row in rows:
        agreement = AgreementDefined.read(json.loads(row["definition"]))
        for target in agreement.targets:
            longest = max(target.get("response_seconds") or 0, target.get("resolution_seconds") or 0)
            if not reaches(wanted, tx.now, longest):
                raise RuleViolated(
                    f"The agreement “{agreement.name}” has a target that these hours never reach. Open more hours, or"
                    " shorten the target first.",
                    rule="target_out_of_reach",
                )
