create sequence incident_number;
comment on sequence incident_number is 'Human numbers INC0000001…; gaps are harmless';

-- Inline read model: one row per incident, filled by the projection incident_queue and rebuildable from the events.
create table incident_queue (
  id text primary key,
  version integer not null,
  number text not null,
  title text not null,
  title_folded text not null,
  state text not null,
  impact integer not null,
  urgency integer not null,
  priority integer not null,
  category text,
  service text,
  configuration_item text,
  organisation text,
  requester text,
  channel text not null,
  team text,
  assignee text,
  hold_reason text,
  hold_note text,
  responsibility text,
  resolution text,
  cancel_reason text,
  alert_source text,
  alert_fingerprint text,
  alert_state text,
  opened_at timestamptz not null,
  started_at timestamptz,
  resolved_at timestamptz,
  closed_at timestamptz,
  changed_at timestamptz not null
);
comment on table incident_queue is 'Every incident as its events left it';
comment on column incident_queue.title_folded is 'The title for searching: NFKC and case-folded';
comment on column incident_queue.started_at is 'When work first began';
comment on column incident_queue.changed_at is 'When its latest event happened';
create unique index incident_queue_number on incident_queue (number);
create index incident_queue_opened on incident_queue (opened_at desc, number desc);
create index incident_queue_priority on incident_queue (priority, opened_at, number);
create index incident_queue_organisation on incident_queue (organisation, opened_at desc, number desc);
create index incident_queue_team on incident_queue (team, opened_at desc, number desc);
create index incident_queue_assignee on incident_queue (assignee, opened_at desc, number desc);
create index incident_queue_service on incident_queue (service, opened_at desc, number desc);
create index incident_queue_open on incident_queue (priority, opened_at, number)
  where state in ('new', 'assigned', 'in_progress', 'on_hold');

-- Working tables of the alert intake: what arrived, not what happened.
create table alert (
  source text not null,
  fingerprint text not null,
  starts_at timestamptz,
  state text check (state in ('firing', 'resolved')),
  ends_at timestamptz,
  ended_received timestamptz,
  incident text,
  changes bigint not null default 0,
  primary key (source, fingerprint)
);
comment on table alert is 'The latest known firing of each alert, and the incident that it opened; its row is the lock';
comment on column alert.ends_at is 'Its latest end by the sender''s clock, also after it fires again with the same start';
comment on column alert.ended_received is 'When that end was taken in';
comment on column alert.changes is 'How often an incident was told of it; part of the ids of those commands';

create table alert_intake (
  source text not null,
  fingerprint text not null,
  starts_at timestamptz not null,
  status text not null,
  incident text,
  count bigint not null,
  first_received timestamptz not null,
  last_received timestamptz not null,
  unique nulls not distinct (source, fingerprint, starts_at, status, incident)
);
comment on table alert_intake is 'How often each state of an alert was received; a repeat counts here and nowhere else';
comment on column alert_intake.incident is 'The incident that it belonged to when it came; null where there was none';
create index alert_intake_incident on alert_intake (incident);
create index alert_intake_last_received on alert_intake (last_received);

create table intake_reject (
  id bigint generated always as identity primary key,
  source text not null,
  received timestamptz not null,
  reason text not null,
  body bytea not null
);
comment on table intake_reject is 'Alerts that could not be read, as they came, for somebody to look at';
create index intake_reject_received on intake_reject (received);
