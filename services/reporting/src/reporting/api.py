"""Reporting over HTTP: figures that explain themselves, as JSON or CSV."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.http import Look
from reporting import queries
from reporting.domain.indicators import BACKLOG, INDICATORS, Indicator, Name
from reporting.domain.periods import DEFAULT_ZONE, Period, read_moment, read_period, read_zone
from reporting.queries import Filters, Grouping
from reporting.tables import to_csv

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

Text = Annotated[str | None, Query(max_length=200)]
Priority = Annotated[int | None, Query(ge=1, le=5, description="1 is the highest.")]


def routes(running: "Running") -> APIRouter:
    """The endpoints under /api/reporting/v1."""
    router = APIRouter()

    @router.get("/indicators/{name}")
    async def indicator(
        name: Name,
        look: Annotated[Look, running.doors.query("reporting.indicators")],
        begins: Annotated[
            str | None, Query(alias="from", max_length=64, description="Day or RFC 3339 instant.")
        ] = None,
        ends: Annotated[str | None, Query(alias="to", max_length=64, description="Day, included, or instant.")] = None,
        at: Annotated[str | None, Query(max_length=64, description="Backlog: instant, or day: its end or now.")] = None,
        time_zone: Annotated[str, Query(max_length=64, description="IANA zone of days and groups.")] = DEFAULT_ZONE,
        group_by: Grouping = "none",
        organisation: Text = None,
        team: Text = None,
        priority: Priority = None,
        metric: Literal["response", "resolution"] | None = None,
        form: Annotated[Literal["json", "csv"] | None, Query(alias="format")] = None,
        bom: Annotated[bool, Query(description="CSV: begin with a byte order mark, for Excel.")] = False,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Mean time to acknowledge or resolve, SLA attainment, or backlog, over a period and by a group."""
        found = INDICATORS[name]
        period = _period(found, look, begins, ends, at, time_zone, group_by)
        _check_fits(found, at, metric)
        filters = Filters(look.organisations(), organisation, team, priority, metric)
        async with look.pool.acquire() as connection:
            rows = await queries.figures(connection, found, period, group_by, filters, look.now)
        if form == "csv" or (form is None and "text/csv" in accept):
            return _csv(found, period, group_by, rows, bom=bom)
        return look.answer(
            {
                "indicator": found.name,
                "title": found.title,
                "formula": found.formula,
                "population": found.population,
                "clock": found.clock,
                "period": period.described(),
                "group_by": group_by,
                "filters": {"organisation": organisation, "team": team, "priority": priority, "metric": metric},
                "rows": rows,
            }
        )

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

    return router


def _period(
    indicator: Indicator,
    look: Look,
    begins: str | None,
    ends: str | None,
    at: str | None,
    time_zone: str,
    group_by: Grouping,
) -> Period:
    zone, now = read_zone(time_zone), look.now
    if indicator is not BACKLOG or group_by in ("day", "week", "month"):
        if at is not None and indicator is BACKLOG:
            raise _wrong("at", "Groups of time are counted at each one's end. Leave `at` out or group otherwise.")
        return read_period(begins, ends, zone, now)
    if begins is not None or ends is not None:
        raise _wrong(
            "at", "A backlog is at an instant: give `at`, or group by day, week or month with `from` and `to`."
        )
    instant = now if at is None else read_moment(at, zone, now)
    return Period(instant, instant, zone)


def _check_fits(indicator: Indicator, at: str | None, metric: str | None) -> None:
    if at is not None and indicator is not BACKLOG:
        raise _wrong("at", "Only the backlog is at an instant. Give `from` and `to`.")
    if metric is not None and indicator.table != "fact_sla_clock":
        raise _wrong("metric", "Only sla-attainment has metrics.")


def _csv(
    indicator: Indicator, period: Period, group_by: Grouping, rows: list[dict[str, Any]], *, bom: bool
) -> Response:
    described = period.described()
    constants = {
        "group_by": group_by,
        "indicator": indicator.name,
        "from": described["from"],
        "to": described["to"],
        "time_zone": described["time_zone"],
        "formula": indicator.formula,
        "population": indicator.population,
        "clock": indicator.clock,
    }
    name = f"{indicator.name}.csv"
    return Response(
        to_csv(queries.columns(indicator), rows, constants, bom=bom),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"},
    )


def _wrong(parameter: str, detail: str) -> Invalid:
    return Invalid(f"{parameter}: {detail}", [FieldError(f"/{parameter}", detail)])
