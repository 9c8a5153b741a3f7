-- A timer is its key and its instant: what it is about is read from events when it fires.
alter table es.timer drop column payload;
