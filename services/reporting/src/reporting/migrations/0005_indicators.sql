-- Indicators read a year of facts: each from an index that holds all it needs, so that the wide rows stay unread.
alter table mart.fact_incident
  add column ended_at timestamptz generated always as (least(resolved_at, closed_at, cancelled_at)) stored;
comment on column mart.fact_incident.ended_at is
  'When it ended: latest resolution, closing or cancelling, whichever came first; null while it is open (结束时间)';

drop index mart.fact_incident_opened_at;
create index fact_incident_opened_at on mart.fact_incident (opened_at)
  include (ended_at, priority_key, team_key, organisation);
drop index mart.fact_incident_resolved_at;
create index fact_incident_resolved_at on mart.fact_incident (resolved_at)
  include (seconds_to_acknowledge, seconds_to_resolve, priority_key, team_key, organisation)
  where cancelled_at is null and resolved_at is not null;
drop index mart.fact_sla_clock_decided_at;
create index fact_sla_clock_decided_at on mart.fact_sla_clock (decided_at)
  include (met, provisional, metric, priority_key, team_key, organisation)
  where cancelled_at is null and decided_at is not null;

-- An index is read without its rows only where vacuum has been since they changed.
alter table mart.fact_incident set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);
alter table mart.fact_sla_clock set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);
