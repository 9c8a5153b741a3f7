-- Incidents as promises need them: filled by the subscription `promises`.
create table promise_incident (
  incident text primary key,
  number text not null,
  title text not null,
  organisation text,
  service text,
  requester text,
  team text,
  assignee text
);
comment on table promise_incident is 'Incidents whose opening is known; holds the title and opaque ids of people';
create index promise_incident_number on promise_incident (number);

-- Inline read model.
create table promise (
  id text primary key,
  incident text not null,
  number text not null,
  organisation text,
  team text,
  owner text,
  source text not null,
  state text not null,
  made_at timestamptz not null,
  due_at timestamptz not null,
  next_reminder_at timestamptz,
  next_break_at timestamptz,
  broken_at timestamptz,
  settled_at timestamptz,
  memory jsonb not null,
  correlation text not null,
  last_event uuid not null,
  version integer not null
);
comment on column promise.team is 'The incident''s team when the promise last had an event';
comment on column promise.state is 'As announced; answers compute it for now';
comment on column promise.memory is 'The folded state: what was said, facts and announcements';
comment on column promise.next_break_at is 'Breach still to be announced, if nothing changes: a timer is derived from it';
create index promise_of_incident on promise (incident, settled_at);
create index promise_number on promise (number);
create index promise_due on promise (due_at, id);
create index promise_unsettled on promise (due_at, id) where settled_at is null;
