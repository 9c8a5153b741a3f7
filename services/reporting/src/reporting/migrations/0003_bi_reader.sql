-- The read-only login of BI tools: `mart` and nothing else. Whoever creates roles creates it before migrating.
do $$
begin
  if exists (select from pg_roles where rolname = 'bi_reader') then
    grant usage on schema mart to bi_reader;
    grant select on all tables in schema mart to bi_reader;
    revoke all on mart.schema_migration from bi_reader;
    alter default privileges in schema mart grant select on tables to bi_reader;
  end if;
end
$$;
