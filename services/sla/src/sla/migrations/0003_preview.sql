-- Incidents by opening, newest first: a preview reads so many of them and not the table.
create index incident_fact_opened on incident_fact (at, incident) where version = 1;
