"""HTTP to the application of a calendar's revision to running clocks: first what it would move, then that it shall."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from opsledger_runtime import ids
from opsledger_runtime.errors import Invalid, NotFound
from opsledger_runtime.http import Answer, Ask
from opsledger_runtime.store import Transaction
from sla.api.calendars import check_scope
from sla.api.definitions import Body
from sla.domain.applications import APPLICATION
from sla.domain.calendar import Calendar
from sla.domain.clock import read
from sla.domain.commands import ApplyCalendar
from sla.projections.clock import MEMORY
from sla.projections.definitions import latest_calendar, parse_calendar

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

MOST_SHOWN: Final = 100
"""Clocks whose move a dry run shows; all are counted."""

_FROM: Final = "clock where state in ('running', 'paused') and clock.calendar = $1 and clock.calendar_revision < $2"
_SHOWN: Final = (
    "select found.*, r.definition::text as definition from (select id, number, metric, memory::text as memory,"
    f" calendar, calendar_revision from {_FROM} order by id limit $3) found join calendar_revision r"
    " on r.calendar = found.calendar and r.revision = found.calendar_revision order by id"
)


class ApplyBody(Body):
    """The calendar's last revision. `dry_run`: tell what would move, and move nothing."""

    revision: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    dry_run: bool = False


class Move(BaseModel):
    """A clock by the revision that it names and by the one that is to be applied; seconds of working time.

    `unreachable`: its target never passes in the new hours, so it stays with the revision that it names.
    """

    clock: str
    number: str
    metric: str
    previous_revision: int
    previous_elapsed_seconds: int
    elapsed_seconds: int | None
    previous_due_at: datetime | None
    due_at: datetime | None
    unreachable: bool


def add_application_routes(router: APIRouter, running: "Running") -> None:
    """The endpoint."""
    doors = running.doors

    @router.post("/calendars/{calendar}/apply")
    async def apply_calendar(
        calendar: UUID, body: ApplyBody, ask: Annotated[Ask, doors.command("calendar.define")]
    ) -> Response:
        """Compute running clocks with the calendar's last revision, from their beginning; each move is announced.

        It happens soon after, a bounded number of clocks at a time. Stopped clocks keep their verdict.
        """
        check_scope(ask)

        async def work(tx: Transaction) -> Answer:
            found = await latest_calendar(tx.connection, str(calendar))
            if found is None:
                raise NotFound("There is no such calendar.")
            latest, wanted = found
            command = ApplyCalendar(str(calendar), body.revision, latest)
            clocks = await tx.connection.fetchval(f"select count(*) from {_FROM}", str(calendar), latest)
            told: dict[str, Any] = {"calendar": str(calendar), "revision": latest, "clocks": clocks}
            if body.dry_run:
                APPLICATION.decide(command, None)
                rows = await tx.connection.fetch(_SHOWN, str(calendar), latest, MOST_SHOWN)
                moves = [_move(row, wanted, tx.now).model_dump(mode="json") for row in rows]
                return Answer({**told, "applied": False, "moves": moves})
            aggregate = str(ids.derived_id("calendar_application", str(calendar), str(latest)))
            await tx.execute(APPLICATION, aggregate, command, ask.metadata())
            return Answer({**told, "applied": True}, status=202)

        return await ask.run(work)


def _move(row: Any, wanted: Calendar, now: datetime) -> Move:
    state = MEMORY.validate_json(row["memory"])
    as_of = max(now, state.latest)
    before = read(state.facts, state.terms(parse_calendar(row["definition"])), as_of)
    if before is None:
        raise LookupError(f"clock {row['id']} has no opening")
    try:
        after = read(state.facts, state.terms(wanted), as_of)
    except Invalid:
        after = None
    return Move(
        clock=row["id"],
        number=row["number"],
        metric=row["metric"],
        previous_revision=row["calendar_revision"],
        previous_elapsed_seconds=int(before.elapsed.total_seconds()),
        elapsed_seconds=None if after is None else int(after.elapsed.total_seconds()),
        previous_due_at=before.due,
        due_at=None if after is None else after.due,
        unreachable=after is None,
    )
