-- Whether what a process knows of definitions still stands is asked in every transaction: one row answers.
create table definition_stamp (
  id integer primary key,
  event uuid not null
);
comment on table definition_stamp is 'One row: the last event that defined a calendar or an agreement';
