-- Dimensions, detailed facts and the backlog of each day. The mart is emptied and filled again from the events by its
-- subscription: rows that stand would lack what the new columns say. Key maps keep their keys.
delete from es.checkpoint where subscription = 'mart';
truncate mart.fact_incident, mart.fact_sla_clock, mart.fact_notification;
delete from mart.dim_team where team <> '';
update reporting.progress set sequence = null, event_at = null, recorded_at = null;
insert into reporting.progress (source_context, source_label) values ('cmdb', 'Configuration items (配置项)');
comment on column reporting.progress.source_context is 'The announcing context: incident, sla, notify or cmdb';
comment on column mart.freshness.source_context is 'The announcing context: incident, sla, notify or cmdb';

create table reporting.organisation_key (
  organisation_key bigint generated always as identity primary key,
  organisation text not null unique
);
create table reporting.service_key (
  service_key bigint generated always as identity primary key,
  service text not null unique
);
create table reporting.person_key (
  person_key bigint generated always as identity primary key,
  person text not null unique
);
create table reporting.configuration_item_key (
  configuration_item_key bigint generated always as identity primary key,
  item_id text not null,
  version bigint not null,
  unique (item_id, version)
);

create table mart.dim_organisation (
  organisation text primary key,
  organisation_key bigint not null unique,
  name text not null
);
create table mart.dim_service (
  service text primary key,
  service_key bigint not null unique,
  name text not null,
  is_registered boolean not null default false,
  item_id text,
  item_class text,
  environment text,
  criticality text,
  lifecycle text,
  organisation text,
  owner_team text
);
create table mart.dim_person (
  person text primary key,
  person_key bigint not null unique,
  name text not null
);
insert into mart.dim_organisation values ('', -1, 'Unknown (未知)');
insert into mart.dim_service (service, service_key, name) values ('', -1, 'Unknown (未知)');
insert into mart.dim_person values ('', -1, 'Unknown (未知)');

create table mart.dim_item_class (
  item_class text primary key,
  name_zh text not null,
  name_en text not null,
  needs_administrator boolean not null,
  needs_database_administrator boolean not null,
  is_service boolean not null,
  was_service boolean not null,
  revision bigint not null,
  defined_at timestamptz
);
insert into mart.dim_item_class values ('', '未知', 'Unknown', false, false, false, false, 0, null);

create table mart.dim_configuration_item (
  item_id text not null,
  version bigint not null,
  configuration_item_key bigint not null unique,
  key text not null,
  name text not null,
  item_class text not null,
  environment text,
  criticality text,
  lifecycle text,
  organisation text,
  organisation_key bigint not null,
  owner_team text,
  owner_team_key bigint not null,
  administrator text,
  administrator_key bigint not null,
  database_administrator text,
  database_administrator_key bigint not null,
  source text,
  merged_into text,
  event_id text,
  valid_from timestamptz not null,
  valid_to timestamptz not null,
  is_current boolean not null,
  primary key (item_id, version)
);
create index dim_configuration_item_key on mart.dim_configuration_item (key, valid_from);
create index dim_configuration_item_class on mart.dim_configuration_item (item_class);
insert into mart.dim_configuration_item values (
  '', 1, -1, '', 'Unknown (未知)', '', null, null, null, null, -1, null, -1, null, -1, null, -1, null, null, null,
  '-infinity', 'infinity', true
);

alter table mart.fact_incident
  add column external_system text,
  add column external_number text,
  add column parent_incident_id text,
  add column parent_number text,
  add column requester text,
  add column requester_key bigint not null,
  add column assignee text,
  add column assignee_key bigint not null,
  add column organisation_key bigint not null,
  add column service_key bigint not null,
  add column first_reply_at timestamptz,
  add column seconds_to_first_reply bigint,
  add column first_resolved_at timestamptz,
  add column hold_count bigint not null,
  add column stretch_count bigint not null,
  add column stretch_began_at timestamptz,
  add column alert_fingerprint text,
  add column alert_source text,
  add column alert_count bigint not null,
  add column alert_firing_since timestamptz,
  add column opened_local_date date generated always as ((opened_at at time zone 'Asia/Shanghai')::date) stored,
  add column resolved_local_date date generated always as ((resolved_at at time zone 'Asia/Shanghai')::date) stored;
create index fact_incident_repeats on mart.fact_incident (configuration_item, category, opened_at)
  where configuration_item is not null and category is not null and cancelled_at is null;

alter table mart.fact_sla_clock
  add column organisation_key bigint not null,
  add column service_key bigint not null,
  add column decided_local_date date generated always as ((decided_at at time zone 'Asia/Shanghai')::date) stored;
create index fact_sla_clock_running on mart.fact_sla_clock (started_at)
  where stopped_at is null and breached_at is null and cancelled_at is null;
create index fact_sla_clock_stopped_at on mart.fact_sla_clock (stopped_at)
  where cancelled_at is null and stopped_at is not null;

create table mart.fact_incident_event (
  incident_id text not null,
  version bigint not null,
  event_id text not null,
  event_type text not null,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  occurred_date_key integer not null,
  occurred_local_date date generated always as ((occurred_at at time zone 'Asia/Shanghai')::date) stored,
  actor text,
  actor_key bigint not null,
  state_after text not null,
  priority_key integer not null,
  team text,
  team_key bigint not null,
  organisation text,
  organisation_key bigint not null,
  service text,
  service_key bigint not null,
  category text,
  seconds_since_previous bigint,
  import_id text,
  primary key (incident_id, version)
);
create index fact_incident_event_occurred_at on mart.fact_incident_event (event_type, occurred_at);

create table mart.fact_incident_stretch (
  incident_id text not null,
  stretch_no bigint not null,
  incident_number text,
  began_at timestamptz not null,
  ended_at timestamptz not null,
  opened_at timestamptz not null,
  priority_key integer not null,
  team text,
  team_key bigint not null,
  organisation text,
  organisation_key bigint not null,
  service text,
  service_key bigint not null,
  category text,
  primary key (incident_id, stretch_no)
) with (fillfactor = 80);
create index fact_incident_stretch_ended_at on mart.fact_incident_stretch (ended_at);

create table mart.fact_alert (
  incident_id text not null,
  episode_no bigint not null,
  incident_number text,
  alert_fingerprint text not null,
  alert_source text,
  began_at timestamptz not null,
  began_date_key integer not null,
  ended_at timestamptz,
  seconds_firing bigint,
  opened_incident boolean not null,
  priority_key integer not null,
  team text,
  team_key bigint not null,
  organisation text,
  organisation_key bigint not null,
  service text,
  service_key bigint not null,
  category text,
  primary key (incident_id, episode_no)
);
create index fact_alert_began_at on mart.fact_alert (began_at);

-- Each day's backlog follows from the stretches, whatever is told late. The function's text names the tables when it
-- is planned, so that it holds on to none of them; it is planned as a part of the statement that asks.
create function reporting.backlog_daily() returns table (
  local_date date, priority_key integer, team text, organisation text, service text, date_key integer, team_key bigint,
  organisation_key bigint, service_key bigint, open_count bigint, age_seconds bigint, age_under_1_day bigint,
  age_1_to_3_days bigint, age_3_to_7_days bigint, age_7_to_30_days bigint, age_over_30_days bigint,
  opened_count bigint, resolved_count bigint, reopened_count bigint, cancelled_count bigint
) language sql stable as $$
  select
    told.local_date, told.priority_key, coalesce(told.team, ''), coalesce(told.organisation, ''),
    coalesce(told.service, ''), to_char(told.local_date, 'YYYYMMDD')::integer, told.team_key, told.organisation_key,
    told.service_key, count(told.age), coalesce(sum(told.age), 0)::bigint,
    count(*) filter (where told.age < 86400),
    count(*) filter (where told.age >= 86400 and told.age < 3 * 86400),
    count(*) filter (where told.age >= 3 * 86400 and told.age < 7 * 86400),
    count(*) filter (where told.age >= 7 * 86400 and told.age < 30 * 86400),
    count(*) filter (where told.age >= 30 * 86400),
    count(*) filter (where told.event_type = 'IncidentOpened'),
    count(*) filter (where told.event_type = 'IncidentResolved'),
    count(*) filter (where told.event_type = 'IncidentReopened'),
    count(*) filter (where told.event_type = 'IncidentCancelled')
  from (
    select
      life.first + n as local_date, s.priority_key, s.team, s.organisation, s.service, s.team_key, s.organisation_key,
      s.service_key, null::text as event_type,
      floor(extract(epoch from ((life.first + n + 1)::timestamp at time zone 'Asia/Shanghai') - s.opened_at))::bigint
        as age
    from mart.fact_incident_stretch s
    cross join (
      select coalesce((least(last_event_at, last_recorded_at) at time zone 'Asia/Shanghai')::date, date '2000-01-01')
        as horizon
      from mart.freshness where source_context = 'incident'
    ) as reached
    cross join lateral (
      select
        greatest(((s.began_at - interval '1 microsecond') at time zone 'Asia/Shanghai')::date, date '2000-01-01')
          as first,
        least(((s.ended_at - interval '1 microsecond') at time zone 'Asia/Shanghai')::date - 1, reached.horizon) as last
    ) as life
    cross join lateral generate_series(0, life.last - life.first) as n
    union all
    select
      greatest(least(e.occurred_local_date, date '2049-12-31'), date '2000-01-01'), e.priority_key, e.team,
      e.organisation, e.service, e.team_key, e.organisation_key, e.service_key, e.event_type, null
    from mart.fact_incident_event e
    where e.event_type in ('IncidentOpened', 'IncidentResolved', 'IncidentReopened', 'IncidentCancelled')
  ) as told
  group by told.local_date, told.priority_key, told.team, told.organisation, told.service, told.team_key,
    told.organisation_key, told.service_key
$$;
create view mart.fact_backlog_daily as select * from reporting.backlog_daily();

-- A row on its way into each table; as in 0004, a type is never altered.
create type reporting.incident_row_2 as (
  incident_id text, number text, title text, organisation text, service text, category text, configuration_item text,
  channel text, impact bigint, urgency bigint, priority_key bigint, team text, state text, responsibility text,
  opened_at timestamptz, opened_date_key bigint, acknowledged_at timestamptz, resolved_at timestamptz,
  resolved_date_key bigint, closed_at timestamptz, closed_date_key bigint, cancelled_at timestamptz,
  held_since timestamptz, held_seconds bigint, reopen_count bigint, reassignment_count bigint,
  seconds_to_acknowledge bigint, seconds_to_resolve bigint, last_event_at timestamptz, external_system text,
  external_number text, parent_incident_id text, parent_number text, requester text, assignee text,
  first_reply_at timestamptz, seconds_to_first_reply bigint, first_resolved_at timestamptz, hold_count bigint,
  stretch_count bigint, stretch_began_at timestamptz, alert_fingerprint text, alert_source text, alert_count bigint,
  alert_firing_since timestamptz,
  team_no bigint, organisation_no bigint, service_no bigint, requester_no bigint, assignee_no bigint
);
create type reporting.clock_row_2 as (
  clock_id text, incident_id text, metric text, incident_number text, agreement_id text, agreement_revision bigint,
  organisation text, service text, priority_key bigint, team text, state text, target_seconds bigint,
  elapsed_seconds bigint, overrun_seconds bigint, started_at timestamptz, started_date_key bigint, due_at timestamptz,
  warned_at timestamptz, breached_at timestamptz, provisional boolean, withdrawn boolean, stopped_at timestamptz,
  met boolean, decided_at timestamptz, decided_date_key bigint, cancelled_at timestamptz, paused boolean,
  team_no bigint, organisation_no bigint, service_no bigint
);
create type reporting.event_row as (
  incident_id text, version bigint, event_id text, event_type text, occurred_at timestamptz, recorded_at timestamptz,
  occurred_date_key bigint, actor text, state_after text, priority_key bigint, team text, organisation text,
  service text, category text, seconds_since_previous bigint, import_id text,
  actor_no bigint, team_no bigint, organisation_no bigint, service_no bigint
);
create type reporting.stretch_row as (
  incident_id text, stretch_no bigint, incident_number text, began_at timestamptz, ended_at timestamptz,
  opened_at timestamptz, priority_key bigint, team text, organisation text, service text, category text,
  team_no bigint, organisation_no bigint, service_no bigint
);
create type reporting.alert_row as (
  incident_id text, episode_no bigint, incident_number text, alert_fingerprint text, alert_source text,
  began_at timestamptz, began_date_key bigint, ended_at timestamptz, seconds_firing bigint, opened_incident boolean,
  priority_key bigint, team text, organisation text, service text, category text,
  team_no bigint, organisation_no bigint, service_no bigint
);
create type reporting.item_row as (
  item_id text, version bigint, key text, name text, item_class text, environment text, criticality text,
  lifecycle text, organisation text, owner_team text, administrator text, database_administrator text, source text,
  merged_into text, event_id text, valid_from timestamptz, valid_to timestamptz, is_current boolean,
  organisation_no bigint, owner_team_no bigint, administrator_no bigint, database_administrator_no bigint
);

create function reporting.key_of_item(item text, number bigint) returns bigint language sql as $$
  insert into reporting.configuration_item_key as kept (item_id, version) values (item, number)
  on conflict (item_id, version) do update set version = excluded.version
  returning configuration_item_key
$$;
