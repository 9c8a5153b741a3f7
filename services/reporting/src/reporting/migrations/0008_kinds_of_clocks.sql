-- Clocks of customers' agreements, of own teams and of vendors' teams. As in 0006, the mart is emptied and filled again
-- from the events by its subscription: an earlier release may have read clocks of teams as those of customers, and
-- passed over contacts and workarounds.
delete from es.checkpoint where subscription = 'mart';
truncate mart.fact_incident, mart.fact_sla_clock, mart.fact_notification, mart.fact_incident_event,
  mart.fact_incident_stretch, mart.fact_alert;
delete from mart.dim_team where team <> '';
delete from mart.dim_organisation where organisation <> '';
delete from mart.dim_service where service <> '';
delete from mart.dim_person where person <> '';
delete from mart.dim_item_class where item_class <> '';
delete from mart.dim_configuration_item where item_id <> '';
update reporting.progress set sequence = null, event_at = null, recorded_at = null;

alter table mart.fact_incident
  add column first_contact_at timestamptz,
  add column workaround_at timestamptz;
comment on column mart.fact_incident.first_contact_at is
  'Instant when somebody at work on it first spoke to the requester; null if nobody did (首次联系时间)';
comment on column mart.fact_incident.workaround_at is
  'Instant of the first workaround; null if there was none (临时措施时间)';

alter table mart.fact_sla_clock
  add column kind text not null default 'sla',
  add column party text,
  add column party_key bigint not null default -1;
comment on table mart.fact_sla_clock is
  'Service level clocks: one row per clock; an incident may have several for one promise, after a reopening, for each update or for each team (服务级别时钟)';
comment on column mart.fact_sla_clock.metric is
  'What is promised: response, contact, ownership, update, workaround or resolution (指标)';
comment on column mart.fact_sla_clock.kind is
  'Whose promise: sla with a customer, ola of an own team, uc of a vendor''s team; name one, or they are added up (协议类型)';
comment on column mart.fact_sla_clock.party is
  'Team that an ola or uc clock measures, also after the incident has gone on to another; null for sla (被衡量团队)';
comment on column mart.fact_sla_clock.party_key is 'Team that is measured; joins dim_team; -1 if none';

drop index mart.fact_sla_clock_decided_at;
create index fact_sla_clock_decided_at on mart.fact_sla_clock (decided_at)
  include (met, provisional, kind, metric, priority_key, team_key, party_key, organisation)
  where cancelled_at is null and decided_at is not null;

-- As in 0004, a type is never altered.
create type reporting.incident_row_3 as (
  incident_id text, number text, title text, organisation text, service text, category text, configuration_item text,
  channel text, impact bigint, urgency bigint, priority_key bigint, team text, state text, responsibility text,
  opened_at timestamptz, opened_date_key bigint, acknowledged_at timestamptz, resolved_at timestamptz,
  resolved_date_key bigint, closed_at timestamptz, closed_date_key bigint, cancelled_at timestamptz,
  held_since timestamptz, held_seconds bigint, reopen_count bigint, reassignment_count bigint,
  seconds_to_acknowledge bigint, seconds_to_resolve bigint, last_event_at timestamptz, external_system text,
  external_number text, parent_incident_id text, parent_number text, requester text, assignee text,
  first_reply_at timestamptz, seconds_to_first_reply bigint, first_resolved_at timestamptz,
  first_contact_at timestamptz, workaround_at timestamptz, hold_count bigint, stretch_count bigint,
  stretch_began_at timestamptz, alert_fingerprint text, alert_source text, alert_count bigint,
  alert_firing_since timestamptz,
  team_no bigint, organisation_no bigint, service_no bigint, requester_no bigint, assignee_no bigint
);
create type reporting.clock_row_3 as (
  clock_id text, incident_id text, metric text, kind text, party text, incident_number text, agreement_id text,
  agreement_revision bigint, organisation text, service text, priority_key bigint, team text, state text,
  target_seconds bigint, elapsed_seconds bigint, overrun_seconds bigint, started_at timestamptz,
  started_date_key bigint, due_at timestamptz, warned_at timestamptz, breached_at timestamptz, provisional boolean,
  withdrawn boolean, stopped_at timestamptz, met boolean, decided_at timestamptz, decided_date_key bigint,
  cancelled_at timestamptz, paused boolean,
  team_no bigint, organisation_no bigint, service_no bigint, party_no bigint
);
comment on type reporting.incident_row_3 is 'A row of fact_incident on its way there';
comment on type reporting.clock_row_3 is 'A row of fact_sla_clock on its way there';
