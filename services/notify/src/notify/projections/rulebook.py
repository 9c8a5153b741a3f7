"""Inline read models `rule` and `wording`: what is said to whom about which event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opsledger_events import Envelope, decode
from opsledger_events.contexts.notify import RuleDefined, WordingPublished
from opsledger_runtime.projections import Projection, Table

_RULE = """
insert into rule (key, event_type, recipients, template, active, revision, otherwise, language)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (key) do update
set event_type = $2, recipients = $3, template = $4, active = $5, revision = $6, otherwise = $7, language = $8
"""
_LATEST = """
select distinct on (language) language, version, subject, body from wording where template = $1
order by language, version desc
"""
_WORDING = "insert into wording (template, language, version, subject, body) values ($1, $2, $3, $4, $5)"


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """The latest rule counts; every version of a wording stays."""
    for envelope in envelopes:
        match decode(envelope):
            case RuleDefined() as rule:
                await connection.execute(
                    _RULE,
                    envelope.subject.removeprefix("rule:"),
                    rule.event_type,
                    rule.recipients,
                    rule.template,
                    rule.active,
                    rule.revision,
                    rule.otherwise,
                    rule.language,
                )
            case WordingPublished() as wording:
                await connection.execute(
                    _WORDING, wording.template, wording.language, wording.version, wording.subject, wording.body
                )


RULEBOOK = Projection(
    name="rulebook",
    version=1,
    reads=frozenset({RuleDefined.type_name, WordingPublished.type_name}),
    tables=(Table("rule", ("key",)), Table("wording", ("template", "language", "version"))),
    apply=apply,
)


@dataclass(frozen=True, slots=True)
class Words:
    """One version of a template's wording in one language."""

    version: int
    subject: str
    body: str


async def latest(connection: Any, template: str) -> dict[str, Words]:
    """A template's latest wording by language."""
    rows = await connection.fetch(_LATEST, template)
    return {row["language"]: Words(row["version"], row["subject"], row["body"]) for row in rows}


async def event_types(connection: Any, template: str) -> frozenset[str]:
    """Every event that a rule, active or not, announces with this template."""
    rows = await connection.fetch("select distinct event_type from rule where template = $1", template)
    return frozenset(row["event_type"] for row in rows)
