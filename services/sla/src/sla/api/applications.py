"""HTTP to the application of a revision to running clocks: first what it would move, then that it shall."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from opsledger_events.contexts.sla import AgreementDefined
from opsledger_runtime import ids
from opsledger_runtime.errors import Invalid, NotFound
from opsledger_runtime.http import Answer, Ask
from opsledger_runtime.store import Transaction
from sla.api import drafts
from sla.api.calendars import check_scope
from sla.api.definitions import Body
from sla.domain.applications import APPLICATION
from sla.domain.calendar import Calendar
from sla.domain.clock import Fact, Reading, Terms, read
from sla.domain.commands import ApplyAgreement, ApplyCalendar
from sla.domain.definitions import DEFINITION
from sla.domain.state import ClockState
from sla.handlers import facts_by
from sla.projections.clock import MEMORY
from sla.projections.definitions import Definitions, latest_calendar, parse_calendar
from sla.projections.incident_facts import facts_of
from sla.renegotiating import terms_for

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

MOST_SHOWN: Final = 100
"""Clocks whose move a dry run shows; all are counted."""

_FROM: Final = "clock where state in ('running', 'paused') and clock.{of} = $1 and clock.{of}_revision < $2"
_SHOWN: Final = (
    "select found.*, r.definition::text as definition from (select id, number, metric, memory::text as memory,"
    f" calendar, calendar_revision, agreement, agreement_revision from {_FROM} order by id limit $3) found"
    " join calendar_revision r on r.calendar = found.calendar and r.revision = found.calendar_revision order by id"
)


class ApplyBody(Body):
    """The last revision. `dry_run`: tell what would move, and move nothing."""

    revision: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    dry_run: bool = False


class Move(BaseModel):
    """A clock by the revision that it names and by the one that is to be applied; seconds of working time.

    `unreachable`: its target never passes in the new hours, so it stays with the revision that it names. `agreement` is
    the one that it is judged by afterwards; without one it counts nowhere any more.
    """

    clock: str
    number: str
    metric: str
    previous_revision: int
    previous_elapsed_seconds: int
    elapsed_seconds: int | None
    previous_due_at: datetime | None
    due_at: datetime | None
    previous_target_seconds: int | None
    target_seconds: int | None
    agreement: str | None
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

            async def moves(rows: Sequence[Any]) -> list[Move]:
                return [_rescheduled(row, wanted, tx.now) for row in rows]

            return await _applied(tx, ask, "calendar", command, body, moves)

        return await ask.run(work)

    @router.post("/agreements/{agreement}/apply")
    async def apply_agreement(
        agreement: UUID, body: ApplyBody, ask: Annotated[Ask, doors.command("agreement.define")]
    ) -> Response:
        """Judge the running clocks of an agreement by its last revision, as if from their beginning.

        Ask for a `dry_run`, and for a preview, first. It happens soon after, a bounded number of clocks at a time, and
        each change is announced. Stopped clocks keep the revision that they were judged by.
        """

        async def work(tx: Transaction) -> Answer:
            held = (await tx.load(DEFINITION, str(agreement))).state.definition
            if not isinstance(held, AgreementDefined):
                raise NotFound("There is no such agreement.")
            drafts.check_scope(ask.caller, held.organisation, held=True)
            command = ApplyAgreement(str(agreement), body.revision, held.revision)

            async def moves(rows: Sequence[Any]) -> list[Move]:
                return await _renegotiated(tx, rows, command)

            return await _applied(tx, ask, "agreement", command, body, moves)

        return await ask.run(work)


async def _applied(
    tx: Transaction,
    ask: Ask,
    of: str,
    command: ApplyCalendar | ApplyAgreement,
    body: ApplyBody,
    moves: Callable[[Sequence[Any]], Awaitable[list[Move]]],
) -> Answer:
    id_ = command.calendar if isinstance(command, ApplyCalendar) else command.agreement
    clocks = await tx.connection.fetchval(f"select count(*) from {_FROM.format(of=of)}", id_, command.latest)
    told: dict[str, Any] = {of: id_, "revision": command.latest, "clocks": clocks}
    if body.dry_run:
        APPLICATION.decide(command, None)
        rows = await tx.connection.fetch(_SHOWN.format(of=of), id_, command.latest, MOST_SHOWN)
        shown = [move.model_dump(mode="json") for move in await moves(rows)]
        return Answer({**told, "applied": False, "moves": shown})
    aggregate = str(ids.derived_id(f"{of}_application", id_, str(command.latest)))
    await tx.execute(APPLICATION, aggregate, command, ask.metadata())
    return Answer({**told, "applied": True}, status=202)


def _rescheduled(row: Any, wanted: Calendar, now: datetime) -> Move:
    state = MEMORY.validate_json(row["memory"])
    return _move("calendar", row, state, state.facts, state.terms(wanted), row["agreement"], now)


async def _renegotiated(tx: Transaction, rows: Sequence[Any], command: ApplyAgreement) -> list[Move]:
    definitions = Definitions(tx.connection)
    states = [MEMORY.validate_json(row["memory"]) for row in rows]
    facts = await facts_of(tx.connection, {state.incident for state in states})
    found = []
    for row, state in zip(rows, states, strict=True):
        known = facts[state.incident]
        now = max(tx.now, state.latest)
        agreed = await terms_for(definitions, state, known, command.agreement, command.latest, now)
        told = facts_by(row["id"], state, known, agreed)
        if agreed is None or not told:
            found.append(_move("agreement", row, state, (), None, None, tx.now))
        else:
            found.append(_move("agreement", row, state, told, agreed.of_clocks(), agreed.agreement_id, tx.now))
    return found


def _move(
    of: str,
    row: Any,
    state: ClockState,
    facts: Sequence[Fact],
    terms: Terms | None,
    agreement: str | None,
    now: datetime,
) -> Move:
    """From what the clock names to what `terms` make of `facts`; None: it counts nowhere any more."""
    as_of = max(now, state.latest)
    before = read(state.facts, state.terms(parse_calendar(row["definition"])), as_of)
    if before is None:
        raise LookupError(f"clock {row['id']} has no opening")
    after: Reading | None = None
    unreachable = False
    try:
        after = None if terms is None else read(facts, terms, as_of)
    except Invalid:
        unreachable = True
    return Move(
        clock=row["id"],
        number=row["number"],
        metric=row["metric"],
        previous_revision=row[f"{of}_revision"],
        previous_elapsed_seconds=int(before.elapsed.total_seconds()),
        elapsed_seconds=None if after is None else int(after.elapsed.total_seconds()),
        previous_due_at=before.due,
        due_at=None if after is None else after.due,
        previous_target_seconds=before.target,
        target_seconds=None if after is None else after.target,
        agreement=agreement,
        unreachable=unreachable,
    )
