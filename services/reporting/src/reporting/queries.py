"""Indicators from the mart: one statement each, scoped to the caller's organisations in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from reporting.domain.backlog import Marks
from reporting.domain.indicator import Indicator
from reporting.domain.periods import Bucket, Period
from reporting.domain.standing import AGES, BACKLOG

Grouping = Literal["none", "priority", "team", "organisation", "service", "category", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the population. `scope` None: every organisation; otherwise the caller's, whatever it asks for."""

    scope: Sequence[str] | None
    organisation: str | None = None
    team: str | None = None
    priority: int | None = None
    metric: str | None = None
    kind: str | None = None
    service: str | None = None
    category: str | None = None
    within_days: int | None = None

    def shown(self) -> dict[str, Any]:
        """What the caller asked for."""
        names = ("organisation", "team", "priority", "metric", "kind", "service", "category", "within_days")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class _Dimension:
    """What of the groups `g` goes out, joined with a dimension `d`."""

    group: str
    label: str
    join: str


_DIMENSIONS: Final[Mapping[str, _Dimension]] = {
    "priority": _Dimension(
        "d.priority_key",
        "d.label_en || ' (' || d.label_zh || ')'",
        "join dim_priority d on d.priority_key = g.key",
    ),
    "team": _Dimension("d.team", "d.name", "join dim_team d on d.team_key = g.key"),
    "organisation": _Dimension("g.key", "coalesce(g.key, 'none (无)')", ""),
    "service": _Dimension(
        "g.key", "coalesce(d.name, g.key, 'none (无)')", "left join dim_service d on d.service = g.key"
    ),
    "category": _Dimension("g.key", "coalesce(g.key, 'none (无)')", ""),
}

# A million numbers are sorted in memory; compiling a statement costs more than it gains. One that is asked again is
# planned for its own period: the plan for any period reads the backlog of a year by an index, in twice the time.
ROOM: Final = "set local work_mem = '64MB'; set local jit = off; set local plan_cache_mode = force_custom_plan"


class Parameters:
    """The values of a statement; `take` gives the place of one."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def take(self, value: Any, kind: str) -> str:
        """`$n::kind` for a value."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def key_of(indicator: Indicator, grouping: str) -> str:
    """The expression over `f` by which a dimension's groups are made."""
    return {
        "priority": "f.priority_key",
        "team": indicator.team,
        "category": indicator.category,
    }.get(grouping, f"f.{grouping}")


def narrowed(indicator: Indicator, filters: Filters, given: Parameters) -> str:
    """The condition over `f` that leaves what the filters name; by keys that the indexes hold."""
    parts = []
    if filters.scope is not None:
        parts.append(f"f.organisation = any({given.take(list(filters.scope), 'text[]')})")
    if filters.organisation is not None:
        parts.append(f"f.organisation = {given.take(filters.organisation, 'text')}")
    if filters.team is not None:  # nobody is in a team without a name
        team = given.take(filters.team, "text")
        parts.append(f"{indicator.team} = (select team_key from dim_team where team = {team} and team_key <> -1)")
    if filters.priority is not None:
        parts.append(f"f.priority_key = {given.take(filters.priority, 'bigint')}")
    if indicator.of_clocks:
        parts.append(f"f.kind = {given.take(filters.kind or 'sla', 'text')}")
    if filters.metric is not None:
        parts.append(f"f.metric = {given.take(filters.metric, 'text')}")
    if filters.service is not None:
        parts.append(f"f.service = {given.take(filters.service, 'text')}")
    if filters.category is not None:
        parts.append(f"{indicator.category} = {given.take(filters.category, 'text')}")
    return "".join(f" and {part}" for part in parts)


def counted_in(indicator: Indicator) -> str:
    """The condition over `f` and `bucket (begins, at)` by which a row belongs to the indicator."""
    if indicator.moment != "period":
        return indicator.included
    return f"{indicator.instant} >= bucket.begins and {indicator.instant} < bucket.at and {indicator.included}"


def share(indicator: Indicator, expression: str, filters: Filters) -> str:
    """What one row adds, with the days that `{within}` stands for; a whole number, so that it can be nothing else."""
    return expression.replace("{within}", str(int(filters.within_days or indicator.within)))


def buckets_of(indicator: Indicator, period: Period, grouping: Grouping, now: datetime) -> list[Bucket]:
    """The parts of the period, or the whole of it. What stands at an instant is counted at the end of each part."""
    if grouping == "day" or grouping == "week" or grouping == "month":
        found = period.buckets(grouping)
        if indicator.moment == "instant":
            # The end of the present part is now.
            found = [Bucket(part.label, part.begins, min(part.ends, now)) for part in found if part.begins < now]
        return found
    return [Bucket("all", period.begins, period.ends)]


async def figures(
    connection: Any, indicator: Indicator, period: Period, grouping: Grouping, filters: Filters, now: datetime
) -> list[dict[str, Any]]:
    """The indicator's rows: `group`, `label`, the value, numerator, denominator and what else it states.

    Groups of time are all there, empty ones with 0 over 0 and no value; other groups only where they have facts.
    """
    buckets = buckets_of(indicator, period, grouping, now)
    async with connection.transaction(readonly=True):
        await connection.execute(ROOM)
        given = Parameters()
        if grouping in _DIMENSIONS:
            statement = _by_key(indicator, grouping, buckets[0], filters, given)
            rows = await connection.fetch(statement, *given.values)
        elif indicator is BACKLOG and grouping != "none":
            rows = await _open_at(connection, buckets, filters)
        else:
            statement = _by_bucket(indicator, buckets, filters, given)
            rows = await connection.fetch(statement, *given.values)
    return [_row(indicator, dict(row)) for row in rows]


def _by_key(indicator: Indicator, grouping: str, bucket: Bucket, filters: Filters, given: Parameters) -> str:
    by = _DIMENSIONS[grouping]
    begins, at = given.take(bucket.begins, "timestamptz"), given.take(bucket.ends, "timestamptz")
    return f"""
      select {by.group}::text as "group", {by.label} as label, {_told(indicator)}
      from (
        select {key_of(indicator, grouping)} as key, {_counted(indicator, filters)}
        from (select {begins} as begins, {at} as at) as bucket
        join {indicator.table} f on {counted_in(indicator)}{narrowed(indicator, filters, given)}
        group by 1
      ) as g {by.join} {_spread(indicator)}
      order by {by.group}
    """


def _by_bucket(indicator: Indicator, buckets: Sequence[Bucket], filters: Filters, given: Parameters) -> str:
    """Each part by itself, from its own stretch of the index."""
    labels = given.take([bucket.label for bucket in buckets], "text[]")
    begins = given.take([bucket.begins for bucket in buckets], "timestamptz[]")
    ends = given.take([bucket.ends for bucket in buckets], "timestamptz[]")
    return f"""
      select bucket.label as "group", bucket.label as label, {_told(indicator)}
      from unnest({labels}, {begins}, {ends}) as bucket (label, begins, at)
      cross join lateral (
        select {_counted(indicator, filters)} from {indicator.table} f
        where {counted_in(indicator)}{narrowed(indicator, filters, given)}
      ) as g {_spread(indicator)}
      order by bucket.begins
    """


def _counted(indicator: Indicator, filters: Filters) -> str:
    sums = {"numerator": share(indicator, indicator.numerator, filters), **indicator.details}
    if indicator.denominator:
        sums["denominator"] = indicator.denominator
    told = [f"coalesce(sum({what}), 0)::bigint as {name}" for name, what in sums.items()]
    # Values are collected and then sorted group by group: sorting the facts by group would cost more than all else.
    return ", ".join([*told, *([f"array_agg({indicator.spread}) as found"] if indicator.spread else [])])


def _spread(indicator: Indicator) -> str:
    if not indicator.spread:
        return ""
    return """cross join lateral (
        select percentile_disc(array[0.5, 0.9]) within group (order by value) as shares from unnest(g.found) as value
      ) as spread"""


def _told(indicator: Indicator) -> str:
    spread = {"median_seconds": "spread.shares[1]", "p90_seconds": "spread.shares[2]"}
    names = ("numerator", *(("denominator",) if indicator.denominator else ()), *indicator.told)
    return ", ".join(f"{spread.get(name, f'g.{name}')} as {name}" for name in names)


async def _open_at(connection: Any, buckets: Sequence[Bucket], filters: Filters) -> list[dict[str, Any]]:
    """The backlog at each end, from one look at all stretches."""
    if not buckets:
        return []
    ends = [bucket.ends for bucket in buckets]
    marks, given = Marks(ends, [least for _, least in AGES]), Parameters()
    after, exact = given.take(marks.after, "timestamptz[]"), given.take(marks.after_instants, "timestamptz[]")
    first, last = given.take(ends[0], "timestamptz"), given.take(ends[-1], "timestamptz")
    pairs = await connection.fetch(
        f"""
        select width_bucket(f.opened_at, {after}) as opened, width_bucket(f.began_at, {exact}) as began,
          width_bucket(f.ended_at, {exact}) as ended, count(*) as count
        from fact_incident_stretch f
        where f.began_at <= {last} and f.ended_at > {first}{narrowed(BACKLOG, filters, given)}
        group by 1, 2, 3
        """,
        *given.values,
    )
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
    if indicator.value == "count":
        return {**found, "count": numerator, "numerator": numerator, "denominator": None, **row}
    digits = 4 if indicator.value == "ratio" else 1
    value = round(numerator / denominator, digits) if denominator else None
    return {**found, indicator.value: value, "numerator": numerator, "denominator": denominator, **row}


def columns(indicator: Indicator) -> list[str]:
    """What each of an indicator's rows states, in order, also where there is no row."""
    return ["group", "label", indicator.value, "numerator", "denominator", *indicator.told, "incidents"]


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
        "select * from fact_sla_clock where incident_id = $1 order by kind <> 'sla', metric, started_at, clock_id",
        incident_id,
    )
    notices = await connection.fetch(
        "select * from fact_notification where about_id = $1 order by requested_at, delivery_id", incident_id
    )
    return {**dict(incident), "clocks": [dict(row) for row in clocks], "notifications": [dict(row) for row in notices]}
