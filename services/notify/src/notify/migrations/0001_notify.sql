-- Read models: filled from events, disposable.
create table contact (
  id text primary key,
  language text not null,
  active boolean not null,
  revision integer not null
);

create table team (
  key text primary key,
  name text not null,
  members text[] not null,
  revision integer not null
);

create table rule (
  key text primary key,
  event_type text not null,
  recipients text[] not null,
  template text not null,
  active boolean not null,
  revision integer not null,
  otherwise text[] not null,
  language text
);
comment on column rule.otherwise is 'Told where recipients lead to nobody';
comment on column rule.language is 'Of the mails; null: of each reader';

create table wording (
  template text not null,
  language text not null,
  version integer not null,
  subject text not null,
  body text not null,
  primary key (template, language, version)
);

create table incident_subject (
  id text primary key,
  number text not null,
  title text not null,
  priority integer,
  organisation text,
  service text,
  team text,
  assignee text,
  requester text
);

create table delivery (
  id text primary key,
  about text not null,
  about_number text,
  organisation text,
  cause text not null,
  cause_type text not null,
  rule text not null,
  contact text not null,
  team text,
  channel text not null,
  language text not null,
  template text not null,
  wording_version integer not null,
  facts jsonb not null,
  requested_at timestamptz not null,
  state text not null check (state in ('planned', 'delivered', 'failed')),
  attempts integer,
  message_id text,
  provider text,
  reason text,
  settled_at timestamptz
);
comment on table delivery is 'One notice to one contact; its state here is what events say';
create index delivery_newest on delivery (requested_at desc, id desc);
create index delivery_about on delivery (about);
create index delivery_about_number on delivery (about_number);
create index delivery_contact on delivery (contact);
create index delivery_organisation_newest on delivery (organisation, requested_at desc, id desc);
create index delivery_failed_newest on delivery (requested_at desc, id desc) where state = 'failed';

create table unroutable (
  id text primary key,
  about text not null,
  about_number text,
  organisation text,
  cause text not null,
  cause_type text not null,
  rule text not null,
  reason text not null,
  noticed_at timestamptz not null
);
comment on table unroutable is 'A rule matched, but nobody could be told';
create index unroutable_newest on unroutable (noticed_at desc, id desc);
create index unroutable_about on unroutable (about);
create index unroutable_about_number on unroutable (about_number);

-- Which deliveries are unsettled follows from events; how far the sending of each is, is working state.
create table delivery_work (
  id text primary key,
  state text not null default 'planned' check (state in ('planned', 'handing', 'unknown')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  claimed_by uuid,
  claimed_until timestamptz,
  message_id text
);
comment on table delivery_work is 'Unsettled deliveries: who is sending which, and when the next attempt is due (machine time)';
create index delivery_work_due on delivery_work (next_attempt_at);

-- Not filled from events.
create table delivery_attempt (
  delivery text not null,
  attempt integer not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  outcome text check (outcome in ('delivered', 'throttled', 'transient', 'rejected', 'unknown')),
  detail text not null default '',
  primary key (delivery, attempt)
);
comment on table delivery_attempt is 'Log of attempts in machine time; an attempt without outcome is under way or was cut off';

create table contact_address (
  contact text primary key,
  name text not null,
  email text not null
);
comment on table contact_address is 'Personal data of contacts: in no event, so that clearing it here is enough';
