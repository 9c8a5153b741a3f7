-- Histories that are being imported: filled by the subscription `clocks`.
create table history_import (
  id text primary key,
  told boolean not null
);
comment on table history_import is 'Imports by importid; told: to the end, by the latest event that was read of it';

-- Whose timers are set when an import has been told: a look at every clock would take seconds in a large installation.
create index clock_imported_running on clock (import_id)
  where import_id is not null and (next_breach_at is not null or next_warnings <> '[]');
