"""Calendars and agreements, with every revision. Inline: commands and clocks need them at once."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

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


async def calendar_at(connection: Any, calendar: str, revision: int) -> Calendar:
    """The calendar of a revision.

    Raises:
        NotFound: there is none.
    """
    text = await connection.fetchval(
        "select definition::text from calendar_revision where calendar = $1 and revision = $2", calendar, revision
    )
    if text is None:
        raise NotFound("There is no such calendar.")
    return parse_calendar(text)


async def latest_calendar(connection: Any, calendar: str) -> tuple[int, Calendar] | None:
    """The last revision of a calendar and its number."""
    revision = await connection.fetchval("select revision from calendar where id = $1", calendar)
    return None if revision is None else (revision, await calendar_at(connection, calendar, revision))


async def agreement_at(connection: Any, agreement: str, revision: int) -> AgreementDefined:
    """The agreement of a revision.

    Raises:
        NotFound: there is none.
    """
    text = await connection.fetchval(
        "select definition::text from agreement_revision where agreement = $1 and revision = $2", agreement, revision
    )
    if text is None:
        raise NotFound("There is no such agreement.")
    return AgreementDefined.read(json.loads(text))


async def choose_agreement(
    connection: Any, organisation: str | None, service: str | None
) -> tuple[str, AgreementDefined] | None:
    """The most specific agreement: organisation and service, organisation, service, neither."""
    row = await connection.fetchrow(
        "select id, revision from agreement"
        " where (organisation is null or organisation = $1) and (service is null or service = $2)"
        " order by organisation is null, service is null, id limit 1",
        organisation,
        service,
    )
    return None if row is None else (row["id"], await agreement_at(connection, row["id"], row["revision"]))


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
