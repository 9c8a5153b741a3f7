"""HTTP to commands and queries of sla, under /api/sla/v1. Definitions are replaced whole, with If-Match."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsledger_events.contexts.sla import AgreementDefined
from opsledger_runtime.errors import NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.store import Transaction
from sla.agreement_drafts import AgreementBody, agreement_command, check_scope, named_calendar
from sla.api_preview import add_preview_routes
from sla.api_trace import trace_routes
from sla.application_api import add_application_routes
from sla.calendar_api import add_calendar_routes
from sla.definition_doors import defined, definition, definitions, loaded_for_change
from sla.views import SELECT, ClockTrace, ClockView, clock_trace, clock_view

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def routes(running: "Running") -> APIRouter:
    """The endpoints of one running service."""
    router = APIRouter()
    doors = running.doors
    add_calendar_routes(router, running)
    add_application_routes(router, running)

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

    @router.get("/agreements")
    async def list_agreements(
        look: Annotated[Look, doors.query("agreement.read")], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[dict[str, Any]]:
        """Agreements by id: those for everybody and those of the caller's organisations."""
        return await definitions(look, "agreement", limit, cursor)

    @router.get("/agreements/{agreement}")
    async def get_agreement(agreement: UUID, look: Annotated[Look, doors.query("agreement.read")]) -> Response:
        """An agreement and its version."""
        shown, version = await definition(look, "agreement", agreement)
        return look.answer(shown, version=version)

    @router.put("/agreements/{agreement}")
    async def put_agreement(
        agreement: UUID, body: AgreementBody, ask: Annotated[Ask, doors.command("agreement.define")]
    ) -> Response:
        """Define an agreement under an id you choose, or replace it (If-Match); running clocks keep their revision."""
        check_scope(ask.caller, body.organisation)

        async def work(tx: Transaction) -> Answer:
            # One writer at a time, so that two agreements cannot take one selector.
            await tx.connection.execute("lock table agreement in share row exclusive mode")
            loaded = await loaded_for_change(tx, ask, agreement)
            if loaded.version:
                held = loaded.state.definition
                check_scope(ask.caller, held.organisation if isinstance(held, AgreementDefined) else None, held=True)
            calendar = await named_calendar(tx.connection, body.calendar)
            command = await agreement_command(tx.connection, agreement, body, str(body.calendar), calendar, tx.now)
            return await defined(tx, ask, "agreement", agreement, command, loaded, body.organisation)

        return await ask.run(work)

    router.include_router(trace_routes(running))
    add_preview_routes(router, running)
    return router
