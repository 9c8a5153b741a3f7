"""Calendars and agreements, with every revision. Inline: commands and clocks need them at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_runtime.errors import NotFound
from opsledger_runtime.projections import Projection, Table
from sla.domain.calendar import Calendar, calendar_from


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        match decode(envelope):
            case CalendarDefined() as calendar:
                await connection.execute(
                    "insert into calendar (id, revision, name, version) values ($1, $2, $3, $4)"
                    " on conflict (id) do update set (revision, name, version) = ($2, $3, $4)",
                    envelope.subject,
                    calendar.revision,
                    calendar.name,
                    envelope.aggregateversion,
                )
                await _keep(connection, "calendar", envelope.subject, calendar)
            case AgreementDefined() as agreement:
                await connection.execute(
                    "insert into agreement (id, revision, name, organisation, service, version)"
                    " values ($1, $2, $3, $4, $5, $6) on conflict (id) do update set"
                    " (revision, name, organisation, service, version) = ($2, $3, $4, $5, $6)",
                    envelope.subject,
                    agreement.revision,
                    agreement.name,
                    agreement.organisation,
                    agreement.service,
                    envelope.aggregateversion,
                )
                await _keep(connection, "agreement", envelope.subject, agreement)


async def _keep(connection: Any, kind: str, subject: str, event: CalendarDefined | AgreementDefined) -> None:
    await connection.execute(
        f"insert into {kind}_revision ({kind}, revision, definition) values ($1, $2, $3::jsonb)"
        f" on conflict ({kind}, revision) do nothing",
        subject,
        event.revision,
        event.model_dump_json(),
    )


async def latest_calendar(connection: Any, calendar: str) -> tuple[int, Calendar] | None:
    """The last revision of a calendar and its number."""
    row = await connection.fetchrow(
        "select c.revision, r.definition::text as definition from calendar c"
        " join calendar_revision r on r.calendar = c.id and r.revision = c.revision where c.id = $1",
        calendar,
    )
    return None if row is None else (row["revision"], parse_calendar(row["definition"]))


async def agreements_on(connection: Any, calendar: str) -> list[AgreementDefined]:
    """The agreements that name a calendar, as they stand."""
    rows = await connection.fetch(
        "select definition::text as definition from agreement_revision join agreement on id = agreement"
        " and agreement_revision.revision = agreement.revision where definition->>'calendar' = $1",
        calendar,
    )
    return [parse_agreement(row["definition"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new clock is promised: an agreement, and the calendar that it names as it stands now."""

    agreement_id: str
    agreement: AgreementDefined
    calendar_revision: int
    calendar: Calendar


class Definitions:
    """Calendars and agreements as one transaction sees them: each is read once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._calendars: dict[tuple[str, int], Calendar] = {}
        self._agreements: dict[tuple[str, int], AgreementDefined] = {}
        self._chosen: dict[tuple[str | None, str | None], Terms | None] = {}

    async def calendar(self, calendar: str, revision: int) -> Calendar:
        """The calendar of a revision.

        Raises:
            NotFound: there is none.
        """
        if (key := (calendar, revision)) not in self._calendars:
            self._calendars[key] = parse_calendar(await self._definition("calendar", calendar, revision))
        return self._calendars[key]

    async def agreement(self, agreement: str, revision: int) -> AgreementDefined:
        """The agreement of a revision.

        Raises:
            NotFound: there is none.
        """
        if (key := (agreement, revision)) not in self._agreements:
            self._agreements[key] = parse_agreement(await self._definition("agreement", agreement, revision))
        return self._agreements[key]

    async def choose(self, organisation: str | None, service: str | None) -> Terms | None:
        """Those of the most specific agreement: organisation and service, organisation, service, neither."""
        if (key := (organisation, service)) not in self._chosen:
            row = await self._connection.fetchrow(_CHOOSE, organisation, service)
            self._chosen[key] = (
                None
                if row is None or row["calendar"] is None
                else Terms(
                    row["id"], parse_agreement(row["agreement"]), row["revision"], parse_calendar(row["calendar"])
                )
            )
        return self._chosen[key]

    async def _definition(self, kind: str, key: str, revision: int) -> str:
        text: str | None = await self._connection.fetchval(
            f"select definition::text from {kind}_revision where {kind} = $1 and revision = $2", key, revision
        )
        if text is None:
            raise NotFound(f"There is no such {kind}.")
        return text


_CHOOSE: Final = """
select chosen.id, a.definition::text as agreement, c.revision, r.definition::text as calendar
  from (select id, revision from agreement
         where (organisation is null or organisation = $1) and (service is null or service = $2)
         order by organisation is null, service is null, id limit 1) chosen
  join agreement_revision a on a.agreement = chosen.id and a.revision = chosen.revision
  left join calendar c on c.id = a.definition ->> 'calendar'
  left join calendar_revision r on r.calendar = c.id and r.revision = c.revision
"""


@lru_cache(maxsize=256)
def parse_agreement(definition: str) -> AgreementDefined:
    """The agreement of a stored definition; whoever reads it changes nothing in it."""
    return AgreementDefined.read(json.loads(definition))


@lru_cache(maxsize=256)
def parse_calendar(definition: str) -> Calendar:
    """The calendar of a stored definition."""
    return calendar_from(json.loads(definition))


DEFINITIONS = Projection(
    "definitions",
    1,
    frozenset({CalendarDefined.type_name, AgreementDefined.type_name}),
    (
        Table("calendar", ("id",)),
        Table("calendar_revision", ("calendar", "revision")),
        Table("agreement", ("id",)),
        Table("agreement_revision", ("agreement", "revision")),
    ),
    _apply,
)
