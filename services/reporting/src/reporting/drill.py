"""From a figure to what is behind it: the rows that were counted, and from an incident to its events."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from reporting.domain.indicator import Indicator
from reporting.domain.periods import Bucket, Period
from reporting.queries import ROOM, Filters, Grouping, Parameters, counted_in, key_of, narrowed, share

BASE: Final = "/api/reporting/v1"
_DAYS: Final = ("day", "week", "month")


def link(
    indicator: Indicator, period: Period, grouping: Grouping, group: str | None, bucket: Bucket, filters: Filters
) -> str:
    """Where the rows behind one row of figures are; exact instants, so that it means the same later."""
    said: dict[str, Any] = {name: value for name, value in filters.shown().items() if value is not None}
    if indicator.moment == "period":
        said |= {"from": _instant(bucket.begins), "to": _instant(bucket.ends)}
    elif indicator.moment == "instant":
        said |= {"at": _instant(bucket.ends)}
    if grouping != "none" and grouping not in _DAYS:
        said |= {"group_by": grouping, "group": group or ""}
    said["time_zone"] = period.zone.key
    return f"{BASE}/indicators/{indicator.name}/incidents?{urlencode(said)}"


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def members(
    connection: Any,
    indicator: Indicator,
    bucket: Bucket,
    grouping: Grouping,
    group: str | None,
    filters: Filters,
    after: str,
    limit: int,
) -> list[dict[str, Any]]:
    """The rows behind a figure, by key from `after` on, one more than `limit` where there are more.

    What each adds to numerator and denominator is told; over all of them it adds up to the figure.
    """
    given = Parameters()
    begins, at = given.take(bucket.begins, "timestamptz"), given.take(bucket.ends, "timestamptz")
    condition = (
        f"{counted_in(indicator)}{narrowed(indicator, filters, given)}{_in_group(indicator, grouping, group, given)}"
    )
    denominator = indicator.denominator or "null::integer"
    statement = f"""
      select g.*, {indicator.number} as number, {indicator.title} as title
      from (
        select {indicator.key} as key, f.incident_id, {indicator.instant} as at,
          coalesce({share(indicator, indicator.numerator, filters)}, 0)::bigint as numerator,
          {denominator} as denominator
          {", f.key as item_key, f.name as item_name" if indicator.number == "g.item_key" else ""}
        from (select {begins} as begins, {at} as at) as bucket
        join {indicator.table} f on {condition}
        where {indicator.key} > {given.take(after, "text")}
        order by {indicator.key} limit {given.take(limit + 1, "integer")}
      ) as g left join fact_incident i on i.incident_id = g.incident_id
      order by g.key
    """
    async with connection.transaction(readonly=True):
        await connection.execute(ROOM)
        rows = await connection.fetch(statement, *given.values)
    return [_member(dict(row)) for row in rows]


def _in_group(indicator: Indicator, grouping: Grouping, group: str | None, given: Parameters) -> str:
    if grouping == "none" or grouping in _DAYS or group is None:
        return ""
    key = key_of(indicator, grouping)
    if grouping == "priority":
        return f" and {key}::text = {given.take(group, 'text')}"
    if grouping == "team":
        return f" and {key} = (select team_key from dim_team where team = {given.take(group, 'text')})"
    return f" and coalesce({key}, '') = {given.take(group, 'text')}"


def _member(row: dict[str, Any]) -> dict[str, Any]:
    incident = row["incident_id"]
    return {
        "key": row["key"],
        "incident_id": incident,
        "number": row["number"],
        "title": row["title"],
        "at": row["at"],
        "numerator": row["numerator"],
        "denominator": row["denominator"],
        "events": None if incident is None else f"{BASE}/incidents/{incident}/events",
    }


async def events(
    connection: Any, id_or_number: str, scope: Sequence[str] | None, after: int, limit: int
) -> list[dict[str, Any]] | None:
    """The events of an incident from version `after` on, `limit + 1` at most; None: not there for this caller."""
    incident = await connection.fetchval(
        "select incident_id from fact_incident where (incident_id = $1 or number = $1)"
        " and ($2::text[] is null or organisation = any($2)) order by incident_id = $1 desc limit 1",
        id_or_number,
        None if scope is None else list(scope),
    )
    if incident is None:
        return None
    rows = await connection.fetch(
        "select incident_id, version, event_id, event_type, occurred_at, recorded_at, actor, state_after, priority_key,"
        " team, seconds_since_previous, import_id from fact_incident_event"
        " where incident_id = $1 and version > $2 order by version limit $3",
        incident,
        after,
        limit + 1,
    )
    return [dict(row) for row in rows]
