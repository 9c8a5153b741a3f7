-- Promises know incidents by the facts that clocks know them by, and are told by the same subscription.
drop table promise_incident;
create index incident_fact_number on incident_fact ((data->>'number')) where version = 1;
