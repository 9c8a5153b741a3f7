"""What a batch of events is judged by, read in two statements: a small batch costs by its statements, not by its rows.

First the rules for its events and the incidents as they were; then, where a rule is met, whom and what it names.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from notify.domain.facts import Subject
from notify.domain.routing import ActiveRule
from notify.projections import incident_subject
from notify.projections.rulebook import Words

_BEFORE: Final = f"""
select array(select rule from rule where active and event_type = any($1::text[]) order by key) as rules,
  array({incident_subject.LOADING.format(parameter=2)}) as incidents
"""
_NAMED: Final = """
with wanted as materialized (select team from team where key = any($1::text[]))
select array(select team from wanted) as teams,
  array(
    select person from contact as person join contact_address as address on address.contact = person.id
    where person.active
      and person.id in (select unnest($2::text[]) union select unnest((team).members) from wanted)
  ) as reachable,
  array(
    select latest.wording from (
      select distinct on (template, language) wording from wording where template = any($3::text[])
      order by template, language, version desc
    ) as latest
  ) as words
"""
_SAVED_AND_NAMED: Final = _NAMED.replace("with ", f"with saved as ({incident_subject.SAVING.format(parameter=4)}), ", 1)


@dataclass(frozen=True, slots=True)
class Named:
    """Members by team, the language of each contact that can be reached, words by template and language."""

    teams: Mapping[str, Sequence[str]]
    languages: Mapping[str, str]
    words: Mapping[str, Mapping[str, Words]]


async def before(
    connection: Any, event_types: Collection[str], incidents: Collection[str]
) -> tuple[list[ActiveRule], dict[str, Subject]]:
    """The rules in force for these events, in order of their key, and those of the incidents that are known."""
    found = await connection.fetchrow(_BEFORE, list(event_types), list(incidents))
    rules = [
        ActiveRule(
            row["key"],
            row["event_type"],
            tuple(row["recipients"]),
            row["template"],
            tuple(row["otherwise"]),
            row["language"],
        )
        for row in found["rules"]
    ]
    return rules, incident_subject.subjects(found["incidents"])


async def named(
    connection: Any,
    teams: Collection[str],
    contacts: Collection[str],
    templates: Collection[str],
    *,
    saving: Mapping[str, Subject],
) -> Named:
    """These teams, contacts and templates, and the teams' members; saves incidents on the way."""
    asked = [sorted(teams), sorted(contacts), sorted(templates)]
    if saving:
        found = await connection.fetchrow(_SAVED_AND_NAMED, *asked, incident_subject.rows(saving))
    else:
        found = await connection.fetchrow(_NAMED, *asked)
    words: dict[str, dict[str, Words]] = {template: {} for template in templates}
    for row in found["words"]:
        words[row["template"]][row["language"]] = Words(row["version"], row["subject"], row["body"])
    return Named(
        {row["key"]: row["members"] for row in found["teams"]},
        {row["id"]: row["language"] for row in found["reachable"]},
        words,
    )
