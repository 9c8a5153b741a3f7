"""HTTP to queries of clocks, computed as of now."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsledger_events.contexts.sla import AgreementKind, Metric
from opsledger_runtime.errors import NotFound
from opsledger_runtime.http import Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from sla.views import SELECT, ClockTrace, ClockView, clock_trace, clock_view

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def add_clock_routes(router: APIRouter, running: "Running") -> None:
    """The endpoints of clocks."""
    doors = running.doors

    @router.get("/clocks")
    async def list_clocks(
        look: Annotated[Look, doors.query("clock.read")],
        incident: Annotated[str | None, Query(max_length=200, description="The incident's id or its number.")] = None,
        state: Literal["running", "paused", "stopped", "cancelled"] | None = None,
        metric: Metric | None = None,
        kind: AgreementKind | None = None,
        party: Annotated[str | None, Query(max_length=100, description="Team of an ola or uc clock.")] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[ClockView]:
        """Clocks as of now, in the order in which they started."""
        after: list[Any] = [None, None] if cursor is None else decode_cursor(cursor, datetime, str)
        rows = await look.pool.fetch(
            f"{SELECT} where ($1::text[] is null or organisation = any($1))"
            " and ($2::text is null or clock.incident = $2 or clock.number = $2)"
            " and ($3::text is null or state = $3) and ($4::text is null or metric = $4)"
            " and ($5::text is null or clock.kind = $5) and ($6::text is null or party = $6)"
            " and ($7::timestamptz is null or (started_at, id) > ($7, $8::text))"
            " order by started_at, id limit $9",
            look.organisations(),
            incident,
            state,
            metric,
            kind,
            party,
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
