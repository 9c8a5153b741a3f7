-- What happened to incidents, as far as clocks need it: filled by the subscription `clocks`.
create table incident_fact (
  incident text not null,
  version integer not null,
  at timestamptz not null,
  event uuid not null,
  kind text not null,
  data jsonb not null,
  primary key (incident, version)
);
comment on table incident_fact is 'What happened to incidents; data holds the title and opaque ids of people';
comment on column incident_fact.version is 'aggregateversion of the incident event; no version 1 while the opening is unknown';

-- Inline read models.
create table calendar (
  id text primary key,
  revision integer not null,
  name text not null,
  version integer not null
);

create table calendar_revision (
  calendar text not null,
  revision integer not null,
  definition jsonb not null,
  primary key (calendar, revision)
);
comment on table calendar_revision is 'Every revision: running clocks keep the one they name';

create table agreement (
  id text primary key,
  revision integer not null,
  name text not null,
  organisation text,
  service text,
  version integer not null
);
create index agreement_selector on agreement (organisation, service);

create table agreement_revision (
  agreement text not null,
  revision integer not null,
  definition jsonb not null,
  primary key (agreement, revision)
);
comment on table agreement_revision is 'Every revision: running clocks keep the one they name';

create table clock (
  id text primary key,
  incident text not null,
  number text not null,
  metric text not null,
  organisation text,
  service text,
  priority integer not null,
  agreement text not null,
  agreement_revision integer not null,
  calendar text not null,
  calendar_revision integer not null,
  state text not null,
  started_at timestamptz not null,
  changed_at timestamptz not null,
  target_seconds integer,
  elapsed_seconds integer not null,
  due_at timestamptz,
  next_breach_at timestamptz,
  next_warnings jsonb not null,
  warned integer[] not null,
  breached_at timestamptz,
  provisional boolean not null,
  met boolean,
  memory jsonb not null,
  import_id text,
  imported_at timestamptz,
  correlation text not null,
  last_event uuid not null,
  version integer not null
);
comment on column clock.elapsed_seconds is 'Working seconds at changed_at; answers compute it for now';
comment on column clock.warned is 'Percentages announced for the present target';
comment on column clock.breached_at is 'When the present target was breached, as announced';
comment on column clock.next_breach_at is 'Breach still to be announced, if nothing changes: a timer is derived from it';
comment on column clock.memory is 'The folded state: facts and announcements, from which everything else is computed';
comment on column clock.import_id is 'Import that last told the clock something; null if none did';
comment on column clock.imported_at is 'When it did: warnings and breaches of instants up to then are history, not news';
create index clock_incident on clock (incident);
create index clock_number on clock (number);
create index clock_started on clock (started_at, id);
create index clock_state on clock (state, started_at, id);
create index clock_organisation on clock (organisation, started_at, id);
