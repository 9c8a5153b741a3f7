"""Reporting over HTTP: figures that explain themselves, as JSON, CSV or Excel, and what is behind them."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from opsledger_runtime.errors import NotFound
from opsledger_runtime.http import Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import version_after
from reporting import asking, drill, queries
from reporting.asking import Asked
from reporting.domain.indicator import Name
from reporting.domain.indicators import INDICATORS
from reporting.domain.periods import DEFAULT_ZONE
from reporting.queries import Filters, Grouping
from reporting.tables import to_csv
from reporting.workbook import MEDIA_TYPE, to_workbook

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

Text = Annotated[str | None, Query(max_length=200)]
Priority = Annotated[int | None, Query(ge=1, le=5, description="1 is the highest.")]
From = Annotated[str | None, Query(alias="from", max_length=64, description="Day or RFC 3339 instant.")]
To = Annotated[str | None, Query(alias="to", max_length=64, description="Day, included, or instant.")]
At = Annotated[
    str | None, Query(max_length=64, description="What stands at an instant: instant, or day: its end or now.")
]
Zone = Annotated[str, Query(max_length=64, description="IANA zone of days and groups.")]
Metric = Annotated[
    Literal["response", "contact", "ownership", "update", "workaround", "resolution"] | None,
    Query(description="sla-attainment and sla-at-risk: this promise alone."),
]
Kind = Annotated[
    Literal["sla", "ola", "uc"] | None,
    Query(description="sla-attainment and sla-at-risk: of customers (if not said), own teams or vendors' teams."),
]
Within = Annotated[int | None, Query(ge=1, le=366, description="Days of 24 hours; reopen-rate and repeat-rate.")]


def routes(running: "Running") -> APIRouter:
    """The endpoints under /api/reporting/v1."""
    router = APIRouter()

    @router.get("/indicators")
    async def indicators(look: Annotated[Look, running.doors.query("reporting.indicators")]) -> Response:
        """Every indicator with its formula, population and clock, in English and Chinese."""
        return look.answer({"items": [asking.described(found) for found in INDICATORS.values()], "next": None})

    @router.get("/indicators/{name}")
    async def indicator(
        name: Name,
        look: Annotated[Look, running.doors.query("reporting.indicators")],
        begins: From = None,
        ends: To = None,
        at: At = None,
        time_zone: Zone = DEFAULT_ZONE,
        group_by: Grouping = "none",
        organisation: Text = None,
        team: Text = None,
        priority: Priority = None,
        service: Text = None,
        category: Text = None,
        metric: Metric = None,
        kind: Kind = None,
        within_days: Within = None,
        form: Annotated[Literal["json", "csv", "xlsx"] | None, Query(alias="format")] = None,
        bom: Annotated[bool, Query(description="CSV: begin with a byte order mark, for Excel.")] = False,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """One indicator over a period or at an instant, by a group; each row says where the incidents behind it are."""
        filters = Filters(
            look.organisations(), organisation, team, priority, metric, kind, service, category, within_days
        )
        asked = asking.read(INDICATORS[name], filters, look.now, begins, ends, at, time_zone, group_by)
        async with look.pool.acquire() as connection:
            rows = await queries.figures(connection, asked.indicator, asked.period, group_by, filters, look.now)
        rows = asked.linked(rows, look.now)
        if form == "csv" or (form is None and "text/csv" in accept):
            return _file(asked, to_csv(queries.columns(asked.indicator), rows, asked.constants(), bom=bom), "csv")
        if form == "xlsx" or (form is None and MEDIA_TYPE in accept):
            constants = {**asked.constants(), **asked.constants_zh()}
            return _file(asked, to_workbook(queries.columns(asked.indicator), rows, constants, look.now), "xlsx")
        return look.answer(
            {
                **asking.described(asked.indicator),
                "period": asked.period.described(),
                "group_by": group_by,
                "filters": filters.shown(),
                "rows": rows,
            }
        )

    @router.get("/indicators/{name}/incidents")
    async def behind(
        name: Name,
        look: Annotated[Look, running.doors.query("reporting.indicators")],
        begins: From = None,
        ends: To = None,
        at: At = None,
        time_zone: Zone = DEFAULT_ZONE,
        group_by: Grouping = "none",
        group: Text = None,
        organisation: Text = None,
        team: Text = None,
        priority: Priority = None,
        service: Text = None,
        category: Text = None,
        metric: Metric = None,
        kind: Kind = None,
        within_days: Within = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[dict[str, Any]]:
        """What is behind a figure, with what each row adds to its numerator and denominator. Empty `group`: none."""
        filters = Filters(
            look.organisations(), organisation, team, priority, metric, kind, service, category, within_days
        )
        asked = asking.read(INDICATORS[name], filters, look.now, begins, ends, at, time_zone, group_by)
        after = "" if cursor is None else decode_cursor(cursor, str)[0]
        bucket = asked.bucket(group, look.now)
        async with look.pool.acquire() as connection:
            rows = await drill.members(connection, asked.indicator, bucket, group_by, group, filters, after, limit)
        return look.page(rows, limit, lambda row: [row["key"]])

    @router.get("/freshness")
    async def freshness(look: Annotated[Look, running.doors.query("reporting.freshness")]) -> Response:
        """How far the mart has followed each source."""
        return look.answer({"items": await queries.freshness(look.pool), "next": None})

    @router.get("/incidents/{incident_id}")
    async def incident(
        incident_id: Annotated[str, Path(description="The incident's id or its number.")],
        look: Annotated[Look, running.doors.query("reporting.incident")],
    ) -> Response:
        """The report row of an incident, with its clocks and notices."""
        found = await queries.incident_report(look.pool, incident_id, look.organisations())
        if found is None:
            raise NotFound("There is no report of such an incident.")
        return look.answer(found)

    @router.get("/incidents/{incident_id}/events")
    async def events(
        incident_id: Annotated[str, Path(description="The incident's id or its number.")],
        look: Annotated[Look, running.doors.query("reporting.incident")],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[dict[str, Any]]:
        """The events of an incident as they were announced: id, instants, who, and the state after each."""
        found = await drill.events(look.pool, incident_id, look.organisations(), version_after(cursor), limit)
        if found is None:
            raise NotFound("There is no report of such an incident.")
        return look.page(found, limit, lambda row: [row["version"]])

    return router


def _file(asked: Asked, content: str | bytes, ending: str) -> Response:
    return Response(
        content,
        media_type=MEDIA_TYPE if ending == "xlsx" else "text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{asked.indicator.name}.{ending}"',
            "Vary": "Accept",
        },
    )
