"""A mart with a year of incidents and two clocks for each, made by the database itself: what figures are read from."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

_TEAMS: Final = """
insert into reporting.team_key (team) select 'team-' || n from generate_series(1, 40) n;
insert into mart.dim_team (team, team_key, name) select team, team_key, team from reporting.team_key
on conflict do nothing
"""
_INCIDENTS: Final = """
insert into mart.fact_incident (
  incident_id, number, title, organisation, service, category, configuration_item, channel, impact, urgency,
  priority_key, team, team_key, state, responsibility, opened_at, opened_date_key, acknowledged_at, resolved_at,
  resolved_date_key, closed_date_key, held_seconds, reopen_count, reassignment_count, seconds_to_acknowledge,
  seconds_to_resolve, last_event_at, requester_key, assignee_key, organisation_key, service_key, hold_count,
  stretch_count, alert_count)
select
  md5(n::text)::uuid::text, 'INC' || lpad(n::text, 7, '0'), 'title of ' || n, 'organisation-' || 1 + h % 8,
  'service-' || h % 20, 'network', 'item-' || h % 3000, 'phone', 2, 2, 1 + h % 5, team, team_key,
  case when n <= $1 - $2 then 'resolved' else 'assigned' end, 'provider', opened,
  to_char(opened, 'YYYYMMDD')::integer, opened + first, case when n <= $1 - $2 then opened + first + work end,
  case when n <= $1 - $2 then to_char(opened + first + work, 'YYYYMMDD')::integer else -1 end, -1, 0, 0, 0,
  extract(epoch from first), case when n <= $1 - $2 then extract(epoch from first + work) end, opened + first,
  -1, -1, -1, -1, 0, 1, 0
from (
  select n, h, $3::timestamptz - interval '365 days' * (1 - n::float8 / ($1 + 1)) as opened,
    make_interval(secs => h % 3600) as first, make_interval(secs => 600 + h * 7 % 172800) as work, 1 + h % 40 as team_no
  from (select n, n::bigint * 7919 % 104729 as h from generate_series(1, $1::integer) n) numbered
) made join (select team, team_key, row_number() over (order by team_key) as team_no from reporting.team_key) teams
  using (team_no)
order by opened
"""
_CLOCKS: Final = """
insert into mart.fact_sla_clock (
  clock_id, incident_id, incident_number, metric, agreement_id, agreement_revision, organisation, service,
  priority_key, team, team_key, state, target_seconds, elapsed_seconds, overrun_seconds, started_at, started_date_key,
  due_at, breached_at, provisional, withdrawn, stopped_at, met, decided_at, decided_date_key, paused,
  organisation_key, service_key)
select
  md5(incident_id || metric)::uuid::text, incident_id, number, metric, 'agreement-1', 1, organisation, service,
  priority_key, team, team_key, case when not stopped then 'running' when met then 'met' else 'missed' end, target,
  elapsed, case when not met then elapsed - target end, opened_at, opened_date_key, due,
  case when not met then due end, false, false, case when stopped then opened_at + make_interval(secs => elapsed) end,
  case when stopped then met end,
  case when met then case when stopped then opened_at + make_interval(secs => elapsed) end else due end, -1, false,
  -1, -1
from (
  select *, opened_at + make_interval(secs => target) as due, elapsed <= target as met
  from (
    select f.*, metric, target,
      coalesce(case metric when 'response' then seconds_to_acknowledge else seconds_to_resolve end, 0) as elapsed,
      metric = 'response' or resolved_at is not null as stopped
    from mart.fact_incident f cross join (values ('response', 1800), ('resolution', 86400)) as m (metric, target)
  ) timed
) judged
order by opened_at
"""
_STRETCHES: Final = """
insert into mart.fact_incident_stretch
select incident_id, 1, number, opened_at, coalesce(resolved_at, 'infinity'), opened_at, priority_key, team, team_key,
  organisation, -1, service, -1, category
from mart.fact_incident
"""
_EVENTS: Final = """
insert into mart.fact_incident_event (
  incident_id, version, event_id, event_type, occurred_at, recorded_at, occurred_date_key, actor_key, state_after,
  priority_key, team, team_key, organisation, organisation_key, service, service_key, category)
select incident_id, version, md5(incident_id || version), type, happened, happened, -1, -1, state, priority_key, team,
  team_key, organisation, -1, service, -1, category
from mart.fact_incident
cross join lateral (values (1, 'IncidentOpened', opened_at), (2, 'IncidentResolved', resolved_at))
  as told (version, type, happened)
where happened is not null
"""


# Built at the end, an index costs less than row by row, and holds the same. The incidents' own come last: nobody reads
# that table any more then.
_INDEXES: Final = """
select index.indexrelid::regclass::text as name, index.indrelid::regclass::text as owner,
  index.indrelid = 'mart.fact_sla_clock'::regclass as of_clocks,
  pg_get_indexdef(index.indexrelid) as definition, pg_get_constraintdef(rule.oid) as rule
from pg_index index left join pg_constraint rule on rule.conindid = index.indexrelid
where index.indrelid = any(array['mart.fact_incident', 'mart.fact_sla_clock', 'mart.fact_incident_stretch',
  'mart.fact_incident_event']::regclass[])
order by owner desc, name
"""
_PATIENCE_SECONDS: Final = 300


async def fill(one: Any, other: Any, incidents: int, stay_open: int, until: datetime) -> None:
    """Fill an empty mart with a year until `until`; the last `stay_open` incidents are not resolved.

    Two connections, since a statement that writes has one processor: clocks by one, all other tables by the other.
    """
    indexes = await other.fetch(_INDEXES)
    for row in indexes:
        what = "alter table {owner} drop constraint {name}" if row["rule"] else "drop index {name}"
        await other.execute(what.format(**row))
    await other.execute(_TEAMS)
    await other.execute(_INCIDENTS, incidents, min(stay_open, incidents), until, timeout=_PATIENCE_SECONDS)
    await asyncio.gather(
        _written(one, (_CLOCKS,), [row for row in indexes if row["of_clocks"]]),
        _written(other, (_STRETCHES, _EVENTS), [row for row in indexes if not row["of_clocks"]]),
    )


async def _written(connection: Any, statements: Sequence[str], indexes: Sequence[Any]) -> None:
    for statement in statements:
        await connection.execute(statement, timeout=_PATIENCE_SECONDS)
    await connection.execute("set maintenance_work_mem = '256MB'")
    for row in indexes:
        what = "alter table {owner} add constraint {name} {rule}" if row["rule"] else "{definition}"
        await connection.execute(what.format(**row), timeout=_PATIENCE_SECONDS)
