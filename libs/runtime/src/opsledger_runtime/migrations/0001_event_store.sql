-- Facts: the application role may insert and select here, nothing else.
create table es.event (
  id uuid primary key,
  aggregate text not null,
  version integer not null check (version > 0),
  type text not null,
  time timestamptz not null,
  recordedtime timestamptz not null,
  command uuid not null,
  body bytea not null,
  salt bytea not null,
  digest bytea not null,
  unique (aggregate, version)
);
comment on table es.event is 'Every event of this context: RFC 8785 bytes and their digest';

create table es.publication (
  no bigint primary key,
  event uuid not null unique references es.event (id),
  prevhash bytea not null,
  hash bytea not null
);
comment on table es.publication is 'The gapless order in which events leave; it never changes';

-- Working tables.
create table es.outbox (
  position bigint generated always as identity primary key,
  event uuid not null
);

create table es.command (
  id uuid primary key,
  fingerprint bytea not null,
  status integer not null,
  headers jsonb not null,
  answer bytea not null,
  recorded_at timestamptz not null
);
comment on table es.command is 'Answers kept by idempotency key, at least 72 hours';
create index command_recorded_at on es.command (recorded_at);

create table es.lease (
  name text primary key,
  holder uuid not null,
  epoch bigint not null,
  expires_at timestamptz not null
);

create table es.checkpoint (
  subscription text primary key,
  version integer not null,
  stream text not null default '',
  stream_sequence bigint not null default 0,
  message_id text not null default '',
  sequences jsonb not null default '{}'
);
comment on column es.checkpoint.stream is 'Identity of the stream: its name and creation instant';
comment on column es.checkpoint.message_id is 'Nats-Msg-Id at stream_sequence: tells a rebuilt stream from the one read';
comment on column es.checkpoint.sequences is 'Last publication number applied, by context';

create table es.parked (
  subscription text not null,
  event uuid not null,
  context text not null,
  sequence bigint not null,
  aggregate text not null,
  type text not null,
  body bytea not null,
  error text not null,
  parked_at timestamptz not null default clock_timestamp(),
  primary key (subscription, context, sequence)
);
create index parked_aggregate on es.parked (subscription, aggregate);

create table es.timer (
  queue text not null,
  key text not null,
  due timestamptz not null,
  payload jsonb not null default '{}',
  primary key (queue, key)
);
create index timer_due on es.timer (queue, due);
