-- Inline read models of the register, all rebuildable from the events.
create table item (
  id text primary key,
  key text not null,
  name text not null,
  item_class text not null,
  environment text not null,
  criticality text not null,
  lifecycle text not null,
  organisation text,
  owner_team text,
  administrator text,
  database_administrator text,
  attributes jsonb not null,
  identifiers jsonb not null,
  merged_into text,
  version integer not null,
  registered_at timestamptz not null,
  changed_at timestamptz not null
);
comment on table item is 'Every configuration item as its events left it, retired and merged ones included';
comment on column item.identifiers is 'A list of {kind, value}';
comment on column item.merged_into is 'The item that stands for this duplicate since it was merged';
create index item_key on item (lower(key), id);
create index item_class on item (item_class, lower(key), id);
create index item_owner_team on item (owner_team, lower(key), id);
create index item_organisation on item (organisation, lower(key), id);
create index item_merged_into on item (merged_into) where merged_into is not null;

create table item_version (
  item text not null,
  version integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null default 'infinity',
  key text not null,
  name text not null,
  item_class text not null,
  environment text not null,
  criticality text not null,
  lifecycle text not null,
  organisation text,
  owner_team text,
  administrator text,
  database_administrator text,
  attributes jsonb not null,
  identifiers jsonb not null,
  merged_into text,
  primary key (item, version)
);
comment on table item_version is 'What every item was from valid_from (inclusive) to valid_to (exclusive), by the time of its events';

create table relation (
  id text not null,
  source text not null,
  target text not null,
  relation text not null,
  impact text not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null default 'infinity',
  version integer not null,
  primary key (id, valid_from, version)
);
comment on table relation is 'Every relation from valid_from (inclusive) to valid_to (exclusive), by the time of its events';
comment on column relation.impact is 'Which end suffers when the other fails: source_depends, target_depends, none';
comment on column relation.version is 'The version of its aggregate with which this interval began';
create index relation_source on relation (source, valid_to);
create index relation_target on relation (target, valid_to);

create table item_name (
  name text primary key,
  item text not null,
  kind text not null check (kind in ('key', 'alias', 'former'))
);
comment on table item_name is 'Lower-cased keys, and which item they name; a merged duplicate''s key is an alias of the item that stands for it';
comment on column item_name.kind is 'key and alias are taken; former belonged to an item that is retired, and may be taken by another';
create index item_name_item on item_name (item);

create table item_identifier (
  kind text not null,
  value text not null,
  item text not null,
  primary key (kind, value, item)
);
comment on table item_identifier is 'Identifiers of items that are neither retired nor merged; values are lower-cased';
create index item_identifier_item on item_identifier (item);

create table class_definition (
  key text primary key,
  revision integer not null,
  version integer not null,
  name_zh text not null,
  name_en text not null,
  attributes jsonb not null,
  needs_administrator boolean not null,
  needs_database_administrator boolean not null,
  is_service boolean not null
);
comment on table class_definition is 'Classes of items as they are defined now';
