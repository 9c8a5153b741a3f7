"""The backlog of each day up to the horizon, the day of the latest event: its new days, and what became of nothing."""

from datetime import date, timedelta
from typing import Any, Final

from reporting.domain.daily import BOUNDS, MEASURES, Daily, end_of

_HORIZON: Final = "select local_date from backlog_horizon where context = 'incident'"
_REACH: Final = """
insert into backlog_horizon (context, local_date) values ('incident', $1)
on conflict (context) do update set local_date = excluded.local_date
"""
_LEAST: Final = (0, *(days for days, _ in BOUNDS))
_NAMES: Final = (*(name for _, name in BOUNDS), "age_over_30_days")


def _aged(at: int) -> str:
    age = "day.ends - s.opened_at"
    said = [f"{age} >= interval '{_LEAST[at]} days'"] if at else []
    said += [f"{age} < interval '{_LEAST[at + 1]} days'"] if at + 1 < len(_LEAST) else []
    return f"count(*) filter (where {' and '.join(said)})"


_COLUMNS: Final = ("open_count", "age_seconds", *_NAMES)
_ADVANCE: Final = f"""
insert into fact_backlog_daily as kept (
  local_date, date_key, priority_key, team, organisation, service, team_key, organisation_key, service_key,
  {", ".join(_COLUMNS)}, opened_count, resolved_count, reopened_count, cancelled_count)
select day.local_date, to_char(day.local_date, 'YYYYMMDD')::bigint, s.priority_key, coalesce(s.team, ''),
  coalesce(s.organisation, ''), coalesce(s.service, ''), s.team_key, s.organisation_key, s.service_key, count(*),
  sum(floor(extract(epoch from day.ends - s.opened_at)))::bigint, {", ".join(_aged(at) for at in range(5))}, 0, 0, 0, 0
from unnest($1::date[], $2::timestamptz[]) as day (local_date, ends)
join fact_incident_stretch s on s.began_at <= day.ends and s.ended_at > day.ends
group by day.local_date, s.priority_key, s.team, s.organisation, s.service, s.team_key, s.organisation_key,
  s.service_key
on conflict (local_date, priority_key, team, organisation, service) do update set
  {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in _COLUMNS)}
"""
_FORGET: Final = f"""
delete from fact_backlog_daily as kept
using unnest($1::date[], $2::bigint[], $3::text[], $4::text[], $5::text[])
  as told (local_date, priority_key, team, organisation, service)
where kept.local_date = told.local_date and kept.priority_key = told.priority_key and kept.team = told.team
  and kept.organisation = told.organisation and kept.service = told.service
  and {" and ".join(f"kept.{name} = 0" for name in MEASURES)}
"""


async def horizon(connection: Any) -> date | None:
    """The last day that is told; None before the first event."""
    found: date | None = await connection.fetchval(_HORIZON)
    return found


async def follow(connection: Any, daily: Daily, told: date | None) -> None:
    """Forget rows that a batch left empty, and tell the days by which it moved the horizon on from `told`."""
    if emptied := daily.emptied():
        await connection.execute(_FORGET, *zip(*emptied, strict=True))
    reached = daily.reached
    if reached is None or (told is not None and reached <= told):
        return
    if told is None:  # then days are told from the first stretch on
        told = await connection.fetchval(
            "select greatest(min((began_at at time zone 'Asia/Shanghai')::date), date '2000-01-01') - 1"
            " from fact_incident_stretch"
        )
        told = reached if told is None else min(told, reached - timedelta(days=1))
    days = [told + timedelta(days=after) for after in range(1, (reached - told).days + 1)]
    await connection.execute(_ADVANCE, days, [end_of(day) for day in days])
    await connection.execute(_REACH, reached)
