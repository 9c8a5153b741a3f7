-- Titles for searching, apart from the queue: a title is written once and never again, while each of an incident's events
-- writes its row in the queue, and with it every index that stands there. pg_trgm is a trusted extension of Postgres' own.
create extension if not exists pg_trgm;

create table incident_title (
  number text primary key,
  opened_at timestamptz not null,
  title_folded text not null
) with (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 5000);
comment on table incident_title is 'Titles of incidents for searching; its index collects what is new and takes it in from time to time';
comment on column incident_title.opened_at is 'As in incident_queue, for the order';
comment on column incident_title.title_folded is 'The title for searching: NFKC and case-folded';

-- By a trigger, so that a release of this service that knows nothing of it may run beside.
create function keep_title() returns trigger language plpgsql as $$
begin
  insert into incident_title (number, opened_at, title_folded) values (new.number, new.opened_at, new.title_folded)
  on conflict (number) do nothing;
  return null;
end
$$;
create trigger keep_title after insert on incident_queue for each row execute function keep_title();

insert into incident_title (number, opened_at, title_folded)
select number, opened_at, title_folded from incident_queue order by opened_at;

-- Three letters of a Latin word in a row, and single characters for all other writing: there two or three make a word.
create index incident_title_parts on incident_title
  using gin (title_folded gin_trgm_ops, (string_to_array(title_folded, null))) with (gin_pending_list_limit = 2048);

create index incident_queue_requester on incident_queue (requester, opened_at desc, number desc)
  where requester is not null;
