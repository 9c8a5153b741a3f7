"""HTTP to commands and queries of sla, under /api/sla/v1. Definitions are replaced whole, with If-Match."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from opsledger_events import names
from opsledger_events.contexts.sla import AgreementDefined
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import FieldError, Forbidden, Invalid, NotFound, RuleViolated
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.store import Transaction
from sla.api_trace import trace_routes
from sla.application_api import add_application_routes
from sla.calendar_api import add_calendar_routes
from sla.definition_doors import Body, Name, Whole, defined, definition, definitions, loaded_for_change
from sla.domain.commands import DefineAgreement
from sla.projections.definitions import latest_calendar
from sla.views import SELECT, ClockTrace, ClockView, clock_trace, clock_view

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

_LONGEST = 10 * 366 * 86400
Seconds = Annotated[int, Field(strict=True, le=_LONGEST)]


class Target(Body):
    """What is promised for a priority (1 is the highest), in seconds of working time."""

    priority: Whole
    response_seconds: Seconds | None = None
    resolution_seconds: Seconds | None = None


class AgreementBody(Body):
    """An agreement. Without organisation and service it is the one for everybody else."""

    name: Name
    calendar: UUID
    targets: Annotated[list[Target], Field(max_length=20)]
    pausing_reasons: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] = Field(default=[])
    warning_percent: Annotated[list[Whole], Field(max_length=20)] = Field(default=[])
    organisation: names.OpaqueId | None = None
    service: names.Name | None = None


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
        _check_scope(ask.caller, body.organisation)

        async def work(tx: Transaction) -> Answer:
            # One writer at a time, so that two agreements cannot take one selector.
            await tx.connection.execute("lock table agreement in share row exclusive mode")
            loaded = await loaded_for_change(tx, ask, agreement)
            if loaded.version:
                held = loaded.state.definition
                _check_scope(ask.caller, held.organisation if isinstance(held, AgreementDefined) else None, held=True)
            found = await latest_calendar(tx.connection, str(body.calendar))
            if found is None:
                problem = FieldError("/calendar", "Define the calendar first.")
                raise Invalid("There is no such calendar. Define it first or name another.", [problem])
            await _check_selector(tx, str(agreement), body)
            command = DefineAgreement(
                name=body.name,
                calendar_id=str(body.calendar),
                calendar=found[1],
                targets=tuple(target.model_dump(exclude_none=True) for target in body.targets),
                pausing_reasons=tuple(body.pausing_reasons),
                warning_percent=tuple(body.warning_percent),
                at=tx.now,
                organisation=body.organisation,
                service=body.service,
            )
            return await defined(tx, ask, "agreement", agreement, command, loaded, body.organisation)

        return await ask.run(work)

    router.include_router(trace_routes(running))
    return router


def _check_scope(caller: Caller, organisation: str | None, *, held: bool = False) -> None:
    if caller.organisations is None or organisation in caller.organisations:
        return
    if held and organisation is not None:
        raise NotFound("There is no such agreement.")
    raise Forbidden("Your token is limited to some organisations. Name one of them as the agreement's organisation.")


async def _check_selector(tx: Transaction, agreement: str, body: AgreementBody) -> None:
    other = await tx.connection.fetchval(
        "select name from agreement where organisation is not distinct from $1 and service is not distinct from $2"
        " and id <> $3",
        body.organisation,
        body.service,
        agreement,
    )
    if other is not None:
        raise RuleViolated(
            f"The agreement “{other}” is for the same organisation and service. Replace that one or choose others.",
            rule="selector_taken",
        )
