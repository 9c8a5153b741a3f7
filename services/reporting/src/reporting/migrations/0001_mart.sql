-- Working tables in `reporting`, the star schema for BI in `mart`. Names are qualified because there are two schemas.
-- No foreign keys and no views over facts: a rebuild swaps the tables, and either would hold on to the old ones.

create table reporting.team_key (
  team_key bigint generated always as identity primary key,
  team text not null unique
);

create table reporting.progress (
  source_context text primary key,
  source_label text not null,
  sequence bigint,
  event_at timestamptz,
  recorded_at timestamptz
);
insert into reporting.progress (source_context, source_label) values
  ('incident', 'Incidents (事件)'), ('sla', 'Service level clocks (服务级别时钟)'), ('notify', 'Notifications (通知)');

create table mart.dim_date (
  date_key integer primary key,
  date date unique,
  year integer,
  quarter integer,
  month integer,
  day integer,
  day_of_week integer,
  iso_year integer,
  iso_week integer,
  is_weekend boolean not null,
  year_month text not null,
  year_quarter text not null,
  year_week text not null,
  date_label_zh text not null,
  date_label_en text not null,
  month_label_zh text not null,
  month_label_en text not null,
  quarter_label_zh text not null,
  quarter_label_en text not null,
  weekday_label_zh text not null,
  weekday_label_en text not null
);
insert into mart.dim_date
select
  to_char(d, 'YYYYMMDD')::integer, d, extract(year from d)::integer, extract(quarter from d)::integer,
  extract(month from d)::integer, extract(day from d)::integer, extract(isodow from d)::integer,
  extract(isoyear from d)::integer, extract(week from d)::integer, extract(isodow from d) >= 6,
  to_char(d, 'YYYY-MM'), to_char(d, 'YYYY"-Q"Q'), to_char(d, 'IYYY"-W"IW'),
  to_char(d, 'YYYY') || '年' || to_char(d, 'FMMM') || '月' || to_char(d, 'FMDD') || '日', to_char(d, 'FMDD FMMonth YYYY'),
  to_char(d, 'YYYY') || '年' || to_char(d, 'FMMM') || '月', to_char(d, 'FMMonth YYYY'),
  to_char(d, 'YYYY') || '年第' || to_char(d, 'Q') || '季度', to_char(d, '"Q"Q YYYY'),
  '星期' || (array['一', '二', '三', '四', '五', '六', '日'])[extract(isodow from d)::integer], to_char(d, 'FMDay')
from (select generated::date as d from generate_series(date '2000-01-01', date '2049-12-31', interval '1 day') as generated) as days;
insert into mart.dim_date values (
  -1, null, null, null, null, null, null, null, null, false, 'none', 'none', 'none',
  '无', 'none', '无', 'none', '无', 'none', '无', 'none'
);

create table mart.dim_priority (
  priority_key integer primary key,
  priority integer,
  label_zh text not null,
  label_en text not null
);
insert into mart.dim_priority values
  (1, 1, '紧急', 'Critical'), (2, 2, '高', 'High'), (3, 3, '中', 'Moderate'), (4, 4, '低', 'Low'),
  (5, 5, '计划', 'Planning'), (-1, null, '未知', 'Unknown');

create table mart.dim_team (
  team text primary key,
  team_key bigint not null unique,
  name text not null,
  member_count integer,
  formed_at timestamptz,
  changed_at timestamptz
);
insert into mart.dim_team (team, team_key, name) values ('', -1, 'Unknown (未知)');

create table mart.fact_incident (
  incident_id text primary key,
  number text,
  title text,
  organisation text,
  service text,
  category text,
  configuration_item text,
  channel text,
  impact integer,
  urgency integer,
  priority_key integer not null,
  team text,
  team_key bigint not null,
  state text not null,
  responsibility text,
  opened_at timestamptz,
  opened_date_key integer not null,
  acknowledged_at timestamptz,
  resolved_at timestamptz,
  resolved_date_key integer not null,
  closed_at timestamptz,
  closed_date_key integer not null,
  cancelled_at timestamptz,
  held_since timestamptz,
  held_seconds bigint not null,
  reopen_count integer not null,
  reassignment_count integer not null,
  seconds_to_acknowledge bigint,
  seconds_to_resolve bigint,
  last_event_at timestamptz
) with (fillfactor = 80);
create index fact_incident_number on mart.fact_incident (number);
create index fact_incident_opened_at on mart.fact_incident (opened_at);
create index fact_incident_resolved_at on mart.fact_incident (resolved_at);

create table mart.fact_sla_clock (
  clock_id text primary key,
  incident_id text not null,
  incident_number text,
  metric text not null,
  agreement_id text,
  agreement_revision integer,
  organisation text,
  service text,
  priority_key integer not null,
  team text,
  team_key bigint not null,
  state text not null,
  target_seconds bigint,
  elapsed_seconds bigint not null,
  overrun_seconds bigint,
  started_at timestamptz,
  started_date_key integer not null,
  due_at timestamptz,
  warned_at timestamptz,
  breached_at timestamptz,
  provisional boolean not null,
  withdrawn boolean not null,
  stopped_at timestamptz,
  met boolean,
  decided_at timestamptz,
  decided_date_key integer not null,
  cancelled_at timestamptz,
  paused boolean not null
) with (fillfactor = 80);
create index fact_sla_clock_incident on mart.fact_sla_clock (incident_id);
create index fact_sla_clock_decided_at on mart.fact_sla_clock (decided_at);

create table mart.fact_notification (
  delivery_id text primary key,
  about_id text not null,
  about_number text,
  cause_event_id text not null,
  cause_type text not null,
  rule text not null,
  template text,
  contact_id text not null,
  organisation text,
  team text,
  team_key bigint not null,
  channel text not null,
  language text not null,
  state text not null,
  requested_at timestamptz,
  requested_date_key integer not null,
  delivered_at timestamptz,
  failed_at timestamptz,
  attempts integer not null,
  seconds_to_deliver bigint
) with (fillfactor = 80);
create index fact_notification_about on mart.fact_notification (about_id);
create index fact_notification_requested_at on mart.fact_notification (requested_at);

create view mart.freshness as
select
  progress.source_context,
  progress.source_label,
  greatest(progress.sequence, (checkpoint.sequences ->> progress.source_context)::bigint) as applied_number,
  progress.event_at as last_event_at,
  progress.recorded_at as last_recorded_at,
  case
    when progress.event_at is null then 'nothing yet (尚无数据)'
    else 'events up to ' || to_char(progress.event_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS')
      || ' Asia/Shanghai are in the mart (数据截至上述时间)'
  end as statement
from reporting.progress as progress
left join es.checkpoint as checkpoint on checkpoint.subscription = 'mart';
