"""The read models of notify, one per file; all inline except `incident_subject`."""
