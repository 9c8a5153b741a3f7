-- Clocks of teams and vendors beside those of customers, and what any agreement ever promised. What stands is stamped,
-- so that a database of before need not be read anew in each transaction until somebody defines something.
alter table clock add column kind text not null default 'sla', add column party text;
alter table clock alter column kind drop default;
comment on column clock.party is 'Team that an ola or uc clock measures';
create index clock_agreement_running on clock (agreement, id) where state in ('running', 'paused');
create index clock_calendar_running on clock (calendar, id) where state in ('running', 'paused');

insert into definition_stamp
select 1, gen_random_uuid() where exists (select from calendar) and not exists (select from definition_stamp);

create table measure (
  kind text not null,
  metric text not null,
  primary key (kind, metric)
);
comment on table measure is 'What any revision of an agreement promises: clocks of others are not looked for';
insert into measure
select distinct 'sla', metric
  from agreement_revision
 cross join lateral jsonb_array_elements(definition->'targets') as target
 cross join unnest(array['response', 'resolution']) as metric
 where target->>(metric || '_seconds') is not null;
