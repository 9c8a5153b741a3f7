"""Indicators from the mart: one statement each, scoped to the caller's organisations in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from reporting.domain.indicators import BACKLOG, Indicator
from reporting.domain.periods import Bucket, Period

Grouping = Literal["none", "priority", "team", "organisation", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the population. `scope` None: every organisation; otherwise the caller's, whatever it asks for."""

    scope: Sequence[str] | None
    organisation: str | None = None
    team: str | None = None
    priority: int | None = None
    metric: str | None = None


# Each: what groups, what it is called for people, what has to be joined.
_DIMENSIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "priority": (
        "d.priority_key",
        "d.label_en || ' (' || d.label_zh || ')'",
        "join dim_priority d using (priority_key)",
    ),
    "team": ("d.team", "d.name", "join dim_team d using (team_key)"),
    "organisation": ("f.organisation", "coalesce(f.organisation, 'none (无)')", ""),
}

_FILTERED: Final = """
  ($4::text[] is null or f.organisation = any($4))
  and ($5::text is null or f.organisation = $5)
  and ($6::text is null or f.team = $6)
  and ($7::bigint is null or f.priority_key = $7)
"""


async def figures(
    connection: Any, indicator: Indicator, period: Period, grouping: Grouping, filters: Filters, now: datetime
) -> list[dict[str, Any]]:
    """The indicator's rows: `group`, `label`, the value, numerator, denominator and what else it states.

    Groups of time are all there, empty ones with 0 over 0 and no value; other groups only where they have facts.
    """
    if grouping == "day" or grouping == "week" or grouping == "month":
        buckets = period.buckets(grouping)
        if indicator is BACKLOG:
            buckets = [bucket for bucket in buckets if bucket.begins < now]
    else:
        buckets = [Bucket("all", period.begins, period.ends)]
    arguments: list[Any] = [
        [bucket.label for bucket in buckets],
        [bucket.begins for bucket in buckets],
        # A backlog is counted at the end of each part, which for the present one is now.
        [min(bucket.ends, now) if indicator is BACKLOG else bucket.ends for bucket in buckets],
        None if filters.scope is None else list(filters.scope),
        filters.organisation,
        filters.team,
        filters.priority,
    ]
    metric = ""
    if indicator.table == "fact_sla_clock":
        metric = "and ($8::text is null or f.metric = $8)"
        arguments.append(filters.metric)
    rows = await connection.fetch(_statement(indicator, grouping, metric), *arguments)
    return [_row(indicator, dict(row)) for row in rows]


def _statement(indicator: Indicator, grouping: Grouping, metric: str) -> str:
    when = (
        "" if indicator is BACKLOG else f"{indicator.instant} >= bucket.begins and {indicator.instant} < bucket.at and"
    )
    condition = f"{when} {indicator.included} and {_FILTERED} {metric}"
    buckets = "unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) as bucket (label, begins, at)"
    if grouping in _DIMENSIONS:
        key, label, join = _DIMENSIONS[grouping]
        return f"""
          select {key}::text as "group", {label} as label, {indicator.columns}
          from {buckets} join {indicator.table} f on {condition} {join}
          group by {key}, {label} order by {key}
        """
    return f"""
      select bucket.label as "group", bucket.label as label, {indicator.columns}
      from {buckets} left join {indicator.table} f on {condition}
      group by bucket.label, bucket.begins order by bucket.begins
    """


def _row(indicator: Indicator, row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"group": row.pop("group"), "label": row.pop("label")}
    numerator, denominator = row.pop("numerator"), row.pop("denominator", None)
    if indicator is BACKLOG:
        return {**found, "count": numerator, "numerator": numerator, "denominator": None, **row}
    digits = 4 if indicator.value == "ratio" else 1
    value = round(numerator / denominator, digits) if denominator else None
    return {**found, indicator.value: value, "numerator": numerator, "denominator": denominator, **row}


def columns(indicator: Indicator) -> list[str]:
    """What each of an indicator's rows states, in order, also where there is no row."""
    return ["group", "label", indicator.value, "numerator", "denominator", *indicator.details]


async def freshness(connection: Any) -> list[dict[str, Any]]:
    """How far the mart is behind its sources, one row for each."""
    return [dict(row) for row in await connection.fetch("select * from freshness order by source_context")]


async def incident_report(connection: Any, id_or_number: str, scope: Sequence[str] | None) -> dict[str, Any] | None:
    """What the mart knows of one incident, its clocks and its notices; None if it is not there for this caller."""
    incident = await connection.fetchrow(
        """
        select f.*, t.name as team_name, p.label_en as priority_en, p.label_zh as priority_zh
        from fact_incident f join dim_team t using (team_key) join dim_priority p using (priority_key)
        where (f.incident_id = $1 or f.number = $1) and ($2::text[] is null or f.organisation = any($2))
        """,
        id_or_number,
        None if scope is None else list(scope),
    )
    if incident is None:
        return None
    incident_id = incident["incident_id"]
    clocks = await connection.fetch(
        "select * from fact_sla_clock where incident_id = $1 order by metric, clock_id", incident_id
    )
    notices = await connection.fetch(
        "select * from fact_notification where about_id = $1 order by requested_at, delivery_id", incident_id
    )
    return {**dict(incident), "clocks": [dict(row) for row in clocks], "notifications": [dict(row) for row in notices]}
