-- How critical an item is. Items that stand lack it, so their tables are emptied and filled again from the events by
-- their subscription; what was set aside of these comes again too.
alter table ci add column criticality text;
truncate ci, ci_name, ci_class, ci_relation;
delete from es.parked where subscription = 'items';
delete from es.checkpoint where subscription = 'items';

alter table incident_queue
  add column criticality text,
  add column promised_at timestamptz,
  add column promised text,
  add column workaround text;
comment on column incident_queue.criticality is 'Of its configuration item, as it was known when the incident was opened';
comment on column incident_queue.promised_at is 'When the requester was told that work goes on, of the hold that stands';
comment on column incident_queue.promised is 'What the requester was told';
comment on column incident_queue.workaround is 'The latest way in which service can be used before the cause is removed';
