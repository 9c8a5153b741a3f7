"""Indicators from the mart: one statement each, scoped to the caller's organisations in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from reporting.domain.backlog import Marks
from reporting.domain.indicators import AGES, BACKLOG, Indicator
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


@dataclass(frozen=True, slots=True)
class _Dimension:
    """How facts `f` are grouped by a key, and what of the groups `g` goes out, joined with a dimension `d`."""

    key: str
    group: str
    label: str
    join: str


_DIMENSIONS: Final[Mapping[str, _Dimension]] = {
    "priority": _Dimension(
        "f.priority_key",
        "d.priority_key",
        "d.label_en || ' (' || d.label_zh || ')'",
        "join dim_priority d on d.priority_key = g.key",
    ),
    "team": _Dimension("f.team_key", "d.team", "d.name", "join dim_team d on d.team_key = g.key"),
    "organisation": _Dimension("f.organisation", "g.key", "coalesce(g.key, 'none (无)')", ""),
}

# By keys that the indexes hold; nobody is in a team without a name.
_FILTERED: Final = """
  ($1::text[] is null or f.organisation = any($1))
  and ($2::text is null or f.organisation = $2)
  and ($3::text is null or f.team_key = (select team_key from dim_team where team = $3 and team_key <> -1))
  and ($4::bigint is null or f.priority_key = $4)
"""
_METRIC: Final = "and ($5::text is null or f.metric = $5)"

# A million numbers are sorted in memory; compiling a statement costs more than it gains.
_ROOM: Final = "set local work_mem = '64MB'; set local jit = off"

_PAIRS: Final = f"""
select width_bucket(f.opened_at, $5::timestamptz[]) as opened, width_bucket(f.ended_at, $5::timestamptz[]) as ended,
  count(*) as count
from fact_incident f
where f.opened_at <= $7 and (f.ended_at is null or f.ended_at > $6) and {_FILTERED}
group by 1, 2
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
    # A backlog is counted at the end of each part, which for the present one is now.
    ends = [min(bucket.ends, now) if indicator is BACKLOG else bucket.ends for bucket in buckets]
    narrowed: list[Any] = [None if filters.scope is None else list(filters.scope)]
    narrowed += [filters.organisation, filters.team, filters.priority]
    if indicator.table == "fact_sla_clock":
        narrowed.append(filters.metric)
    async with connection.transaction(readonly=True):
        await connection.execute(_ROOM)
        if grouping in _DIMENSIONS:
            statement = _by_key(indicator, _DIMENSIONS[grouping], len(narrowed))
            rows = await connection.fetch(statement, *narrowed, buckets[0].begins, ends[0])
        elif indicator is BACKLOG and grouping != "none":
            rows = await _open_at(connection, buckets, ends, narrowed)
        else:
            told = [bucket.label for bucket in buckets], [bucket.begins for bucket in buckets], ends
            rows = await connection.fetch(_by_bucket(indicator, len(narrowed)), *narrowed, *told)
    return [_row(indicator, dict(row)) for row in rows]


def _by_key(indicator: Indicator, by: _Dimension, after: int) -> str:
    return f"""
      select {by.group}::text as "group", {by.label} as label, {_told(indicator)}
      from (
        select {by.key} as key, {_counted(indicator)}
        from (select ${after + 1}::timestamptz as begins, ${after + 2}::timestamptz as at) as bucket
        join {indicator.table} f on {_condition(indicator)}
        group by {by.key}
      ) as g {by.join} {_spread(indicator)}
      order by {by.group}
    """


def _by_bucket(indicator: Indicator, after: int) -> str:
    """Each part by itself, from its own stretch of the index."""
    return f"""
      select bucket.label as "group", bucket.label as label, {_told(indicator)}
      from unnest(${after + 1}::text[], ${after + 2}::timestamptz[], ${after + 3}::timestamptz[])
        as bucket (label, begins, at)
      cross join lateral (
        select {_counted(indicator)} from {indicator.table} f where {_condition(indicator)}
      ) as g {_spread(indicator)}
      order by bucket.begins
    """


def _condition(indicator: Indicator) -> str:
    within = f"{indicator.instant} >= bucket.begins and {indicator.instant} < bucket.at and"
    metric = _METRIC if indicator.table == "fact_sla_clock" else ""
    return f"{'' if indicator is BACKLOG else within} {indicator.included} and {_FILTERED} {metric}"


def _counted(indicator: Indicator) -> str:
    # Values are collected and then sorted group by group: sorting the facts by group would cost more than all else.
    return indicator.columns + (f", array_agg({indicator.spread}) as found" if indicator.spread else "")


def _spread(indicator: Indicator) -> str:
    if not indicator.spread:
        return ""
    return """cross join lateral (
        select percentile_disc(array[0.5, 0.9]) within group (order by value) as shares from unnest(g.found) as value
      ) as spread"""


def _told(indicator: Indicator) -> str:
    spread = {"median_seconds": "spread.shares[1]", "p90_seconds": "spread.shares[2]"}
    names = ("numerator", *(() if indicator is BACKLOG else ("denominator",)), *indicator.details)
    return ", ".join(f"{spread.get(name, f'g.{name}')} as {name}" for name in names)


async def _open_at(
    connection: Any, buckets: Sequence[Bucket], ends: Sequence[datetime], narrowed: Sequence[Any]
) -> list[dict[str, Any]]:
    """The backlog at each end, from one look at all incidents."""
    if not buckets:
        return []
    marks = Marks(ends, [least for _, least in AGES])
    pairs = await connection.fetch(_PAIRS, *narrowed, marks.after, ends[0], ends[-1])
    by_age = [*marks.open_at(tuple(pair) for pair in pairs), [0] * len(ends)]
    return [
        {
            "group": bucket.label,
            "label": bucket.label,
            "numerator": by_age[0][at],
            **{name: by_age[age][at] - by_age[age + 1][at] for age, (name, _) in enumerate(AGES)},
        }
        for at, bucket in enumerate(buckets)
    ]


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
