-- A repeat changes a count and an instant. With the instant in an index each repeat wrote every index of the table; with
-- the day of it there, and room on each page, it writes none.
drop index alert_intake_last_received;
alter table alert_intake add column last_day date
  generated always as ((last_received at time zone 'UTC')::date) stored;
comment on column alert_intake.last_day is 'The day of last_received, for forgetting';
create index alert_intake_last_day on alert_intake (last_day);
alter table alert_intake set (fillfactor = 70);
alter table alert set (fillfactor = 70);
