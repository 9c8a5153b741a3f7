-- Where letters are not Latin, two of them make a word, and one by itself stands in too many titles to lead to few.
create function title_parts(title text) returns text[] language plpgsql immutable strict parallel safe as $$
declare
  found text[] := '{}';
  characters text[];
begin
  if octet_length(title) = length(title) then
    return found;
  end if;
  characters := string_to_array(title, null);
  for at in 1 .. cardinality(characters) loop
    if ascii(characters[at]) > 127 then
      found := found || characters[at];
      if at < cardinality(characters) then
        found := found || (characters[at] || characters[at + 1]);
      end if;
    end if;
  end loop;
  return found;
end
$$;
comment on function title_parts is 'Each character that is not ASCII, by itself and with the one after it';

-- A release before this one finds rare words by reading all titles until it is gone.
drop index incident_title_parts;
create index incident_title_parts on incident_title
  using gin (title_folded gin_trgm_ops, title_parts(title_folded)) with (gin_pending_list_limit = 2048);
