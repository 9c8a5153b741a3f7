"""Deliveries and what could not be delivered, over HTTP. Read-only: what was sent cannot be taken back."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, assert_never

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from notify.api.shapes import Language
from opsledger_runtime.errors import NotFound
from opsledger_runtime.http import Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.running import Running

State = Literal["planned", "handing", "unknown", "delivered", "failed"]

# An unsettled delivery is as far as its work row says; a settled one is as its events say. Work rows are few, however
# many deliveries there have been: whatever asks for unsettled ones starts from them.
_SELECT = """
select d.id, d.about as incident, d.about_number as number, d.organisation, d.cause, d.cause_type, d.rule, d.contact,
  d.team, d.channel, d.language, d.template, d.wording_version, coalesce(w.state, d.state) as state,
  coalesce(d.attempts, w.attempts, 0) as attempt_count, coalesce(d.message_id, w.message_id) as message_id, d.provider,
  d.reason, d.requested_at, d.settled_at, case when w.state <> 'handing' then w.next_attempt_at end as next_attempt_at
from {tables}
where ($1::text[] is null or d.organisation = any($1))
"""
_ALL = _SELECT.format(tables="delivery d left join delivery_work w on w.id = d.id")
_UNSETTLED = _SELECT.format(tables="delivery_work w join delivery d on d.id = w.id")
_PAGE = """
  and ($2::text is null or d.about = $2 or d.about_number = $2)
  and ($3::text is null or d.contact = $3) and ($4::timestamptz is null or (d.requested_at, d.id) < ($4, $5))
order by d.requested_at desc, d.id desc limit $6
"""
_ATTEMPTS = """
select attempt, started_at, finished_at, outcome, detail from delivery_attempt where delivery = $1 order by attempt
"""
_UNROUTABLE = """
select id, about as incident, about_number as number, organisation, cause, cause_type, rule, reason, noticed_at
from unroutable
where ($1::text[] is null or organisation = any($1)) and ($2::text is null or about = $2 or about_number = $2)
  and ($3::timestamptz is null or (noticed_at, id) < ($3, $4))
order by noticed_at desc, id desc limit $5
"""
_COUNTS = """
select d.channel, count(*) as count from delivery_work w join delivery d on d.id = w.id group by d.channel
"""
_LOST = "select rule, count(*) as count from unroutable where noticed_at > $1 group by rule"
_LOST_WITHIN: Final = timedelta(days=1)

Text = Annotated[str | None, Query(max_length=100)]


class DeliveryView(BaseModel):
    """One notice to one contact. Instants are domain time, except `next_attempt_at`, which is machine time."""

    id: str
    incident: str
    number: str | None
    organisation: str | None
    cause: str
    cause_type: str
    rule: str
    contact: str
    team: str | None
    channel: str
    language: Language
    template: str
    wording_version: int
    state: State
    attempt_count: int
    message_id: str | None
    provider: str | None
    reason: str | None
    requested_at: datetime
    settled_at: datetime | None
    next_attempt_at: datetime | None


class AttemptView(BaseModel):
    """One hand-over, in machine time; without an outcome it is under way or was cut off."""

    attempt: int
    started_at: datetime
    finished_at: datetime | None
    outcome: Literal["delivered", "throttled", "transient", "rejected", "unknown"] | None
    detail: str


class DeliveryDetail(DeliveryView):
    """A delivery with its attempts in order."""

    attempts: list[AttemptView]


class UnroutableView(BaseModel):
    """A rule that matched an event while nobody could be told."""

    id: str
    incident: str
    number: str | None
    organisation: str | None
    cause: str
    cause_type: str
    rule: str
    reason: str
    noticed_at: datetime


def listing(state: State | None) -> str:
    """SQL of one page. The state is written into it, so that the planner knows it."""
    match state:
        case None:
            return f"{_ALL}{_PAGE}"
        case "delivered" | "failed":
            return f"{_ALL} and d.state = '{state}'{_PAGE}"
        case "planned" | "handing" | "unknown":
            return f"{_UNSETTLED} and w.state = '{state}'{_PAGE}"
    assert_never(state)


def routes(running: Running) -> APIRouter:
    """Lists, one delivery, and the numbers of unsettled ones and of those without a reader as metrics."""
    router = APIRouter(tags=["deliveries"])

    @router.get("/deliveries", summary="Deliveries, newest first")
    async def many(
        look: Annotated[Look, running.doors.query("notify.delivery.read")],
        incident: Text = None,
        state: Annotated[State | None, Query()] = None,
        contact: Text = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[DeliveryView]:
        after = decode_cursor(cursor, datetime, str) if cursor else [None, None]
        rows = await look.pool.fetch(listing(state), look.organisations(), incident, contact, *after, limit + 1)
        return look.page(
            rows, limit, lambda row: [row["requested_at"], row["id"]], lambda row: DeliveryView(**dict(row))
        )

    @router.get("/deliveries/{id}", summary="One delivery with its attempts", response_model=DeliveryDetail)
    async def one(
        id: str,  # noqa: A002 - the name in the path
        look: Annotated[Look, running.doors.query("notify.delivery.read")],
    ) -> Response:
        row = await look.pool.fetchrow(f"{_ALL} and d.id = $2", look.organisations(), id)
        if row is None:
            raise NotFound("There is no such delivery.")
        attempts: list[Any] = await look.pool.fetch(_ATTEMPTS, id)
        return look.answer(DeliveryDetail(**dict(row), attempts=[AttemptView(**dict(found)) for found in attempts]))

    @router.get("/unroutable", summary="Notices that reached nobody, newest first")
    async def unroutable(
        look: Annotated[Look, running.doors.query("notify.delivery.read")],
        incident: Text = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[UnroutableView]:
        after = decode_cursor(cursor, datetime, str) if cursor else [None, None]
        rows = await look.pool.fetch(_UNROUTABLE, look.organisations(), incident, *after, limit + 1)
        return look.page(
            rows, limit, lambda row: [row["noticed_at"], row["id"]], lambda row: UnroutableView(**dict(row))
        )

    async def unsettled() -> dict[Any, float]:
        return {(row["channel"],): float(row["count"]) for row in await running.pool.fetch(_COUNTS)}

    async def lost() -> dict[Any, float]:
        # A day's worth is read by index; all of them would be more at each scrape.
        rows = await running.pool.fetch(_LOST, running.clock.now() - _LOST_WITHIN)
        return {(row["rule"],): float(row["count"]) for row in rows}

    running.doors.gauge("notices_unroutable", "Notices of the last 24 hours that reached nobody", ["rule"], lost)
    running.doors.gauge("deliveries_unsettled", "Notices that are neither delivered nor failed", ["channel"], unsettled)
    return router
