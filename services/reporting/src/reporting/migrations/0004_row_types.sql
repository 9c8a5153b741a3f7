-- What a batch of the mart's projection hands over: rows as arrays of these types, each with its team's place in the
-- batch at the end. A type is never altered, since another release of this service may use it: a column more is a type more.
create type reporting.incident_row as (
  incident_id text, number text, title text, organisation text, service text, category text, configuration_item text,
  channel text, impact bigint, urgency bigint, priority_key bigint, team text, state text, responsibility text,
  opened_at timestamptz, opened_date_key bigint, acknowledged_at timestamptz, resolved_at timestamptz,
  resolved_date_key bigint, closed_at timestamptz, closed_date_key bigint, cancelled_at timestamptz,
  held_since timestamptz, held_seconds bigint, reopen_count bigint, reassignment_count bigint,
  seconds_to_acknowledge bigint, seconds_to_resolve bigint, last_event_at timestamptz, team_no bigint
);
create type reporting.clock_row as (
  clock_id text, incident_id text, metric text, incident_number text, agreement_id text, agreement_revision bigint,
  organisation text, service text, priority_key bigint, team text, state text, target_seconds bigint,
  elapsed_seconds bigint, overrun_seconds bigint, started_at timestamptz, started_date_key bigint, due_at timestamptz,
  warned_at timestamptz, breached_at timestamptz, provisional boolean, withdrawn boolean, stopped_at timestamptz,
  met boolean, decided_at timestamptz, decided_date_key bigint, cancelled_at timestamptz, paused boolean, team_no bigint
);
create type reporting.notification_row as (
  delivery_id text, about_id text, cause_event_id text, cause_type text, rule text, contact_id text, channel text,
  language text, about_number text, template text, organisation text, team text, state text, requested_at timestamptz,
  requested_date_key bigint, delivered_at timestamptz, failed_at timestamptz, attempts bigint,
  seconds_to_deliver bigint, team_no bigint
);
comment on type reporting.incident_row is 'A row of fact_incident on its way there';
comment on type reporting.clock_row is 'A row of fact_sla_clock on its way there';
comment on type reporting.notification_row is 'A row of fact_notification on its way there';
