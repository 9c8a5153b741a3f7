-- Subscribed read models of configuration items, from the events of cmdb: who owns an item, what names it, what depends on
-- it. Merged and retired items keep their row and lose their names.
create table ci (
  item text primary key,
  key text not null,
  name text not null,
  item_class text,
  lifecycle text,
  organisation text,
  owner_team text,
  merged_into text,
  aliases text[] not null,
  addresses text[] not null
);
comment on table ci is 'Configuration items as their events left them; one whose registration is unknown has no class';
comment on column ci.aliases is 'Keys of duplicates that were merged into it, in lower case';
comment on column ci.addresses is 'Names and addresses in the network, in lower case';

create table ci_name (
  name text not null,
  item text not null,
  rank smallint not null check (rank between 0 and 2),
  primary key (name, item)
);
comment on table ci_name is 'What items in use are called, in lower case';
comment on column ci_name.rank is '0 its key, 1 an alias, 2 an address; an address may be several items''';
create index ci_name_item on ci_name (item);

create table ci_class (
  key text primary key,
  is_service boolean not null
);
comment on table ci_class is 'Classes of items, and which of them are business services';

create table ci_relation (
  relation text primary key,
  dependent text not null,
  dependency text not null
);
comment on table ci_relation is 'Relations that stand: the dependent suffers when the dependency fails';
create index ci_relation_dependent on ci_relation (dependent) include (dependency);
create index ci_relation_dependency on ci_relation (dependency) include (dependent);

-- Grouping under the incident of a failed item.
alter table incident_queue add column parent text, add column parent_number text;
comment on column incident_queue.parent is 'The incident of a failed item on which this one''s depends, and which is worked on first';
create index incident_queue_parent on incident_queue (parent, number) where parent is not null;
-- What is failing now, by item. Whoever reports by hand writes nothing here.
create index incident_queue_failing on incident_queue (lower(configuration_item))
  where alert_fingerprint is not null and state in ('new', 'assigned', 'in_progress', 'on_hold');
