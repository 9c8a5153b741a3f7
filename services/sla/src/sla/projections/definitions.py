"""Calendars and agreements, with every revision. Inline: commands and clocks need them at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined, Metric
from opsledger_runtime.errors import NotFound
from opsledger_runtime.projections import Projection, Table
from sla.domain.agreements import metrics_in
from sla.domain.calendar import Calendar, calendar_from
from sla.domain.measures import MEASURES, Measure
from sla.domain.selection import Candidate, Situation, choose, ranked, stated


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
                await connection.execute(
                    "insert into measure (kind, metric) select $1, unnest($2::text[]) on conflict do nothing",
                    agreement.kind,
                    sorted({metric for target in agreement.targets for metric in metrics_in(target)}),
                )


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


async def present_agreements(connection: Any, organisations: Sequence[str] | None = None) -> list[Candidate]:
    """Agreements as they stand, the most specific first: those for everybody and of `organisations`; None: of all."""
    rows = await connection.fetch(
        f"select id, definition::text as definition from ({_PRESENT}) present where $1::text[] is null"
        " or definition->>'organisation' is null or definition->>'organisation' = any($1)",
        organisations,
    )
    return ranked(Candidate(row["id"], parse_agreement(row["definition"])) for row in rows)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new clock is promised: an agreement, and the calendar that it names as it stands now.

    `chosen_by`: the selectors that the agreement states, the most telling first.
    """

    agreement_id: str
    agreement: AgreementDefined
    calendar_revision: int
    calendar: Calendar
    chosen_by: tuple[str, ...] = ()


class Definitions:
    """Calendars and agreements as one transaction sees them: each is read once.

    What stands is read whole, in one statement, by whatever asks for it first: there are few agreements.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._calendars: dict[tuple[str, int], Calendar] = {}
        self._agreements: dict[tuple[str, int], AgreementDefined] = {}
        self._present: _Present | None = None
        self._measures: tuple[Measure, ...] | None = None
        self._revisions: dict[str, int] = {}
        self._chosen: dict[Situation, Terms | None] = {}

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

    async def choose(self, situation: Situation) -> Terms | None:
        """Those of the most specific agreement that is for an incident, whether or not it has a target for it."""
        if situation not in self._chosen:
            present = await self._read()
            found = choose(present.ranked.get(situation.kind, ()), situation)
            self._chosen[situation] = None if found is None else self._terms(found)
        return self._chosen[situation]

    async def measures(self) -> tuple[Measure, ...]:
        """What any revision of an agreement promises: there are clocks of nothing else."""
        if self._measures is None:
            rows = await self._connection.fetch("select kind, metric from measure")
            known = {tuple(row) for row in rows}
            self._measures = tuple(measure for measure in MEASURES if measure in known)
        return self._measures

    async def kinds(self) -> frozenset[str]:
        """The kinds of which there is any agreement."""
        return frozenset((await self._read()).ranked)

    async def metrics(self, kind: str) -> frozenset[Metric]:
        """What any agreement of a kind promises, for whichever priority."""
        return (await self._read()).metrics.get(kind, frozenset())

    def _terms(self, found: Candidate) -> Terms | None:
        calendar = found.agreement.calendar
        if calendar not in self._revisions:
            return None
        revision = self._revisions[calendar]
        return Terms(found.id, found.agreement, revision, self._calendars[calendar, revision], stated(found.agreement))

    async def _read(self) -> "_Present":
        if self._present is None:
            rows = await self._connection.fetch(_PRESENT_WITH_CALENDARS)
            for row in rows:
                if row["is_calendar"]:
                    self._revisions[row["id"]] = row["revision"]
                    self._calendars[row["id"], row["revision"]] = parse_calendar(row["definition"])
            self._present = _present(tuple((row["id"], row["definition"]) for row in rows if not row["is_calendar"]))
            for candidates in self._present.ranked.values():
                for id_, agreement in candidates:
                    self._agreements[id_, agreement.revision] = agreement
        return self._present

    async def _definition(self, kind: str, key: str, revision: int) -> str:
        text: str | None = await self._connection.fetchval(
            f"select definition::text from {kind}_revision where {kind} = $1 and revision = $2", key, revision
        )
        if text is None:
            raise NotFound(f"There is no such {kind}.")
        return text


class _Present(NamedTuple):
    """By kind: the agreements as they stand, the most specific first, and what any of them promises."""

    ranked: dict[str, list[Candidate]]
    metrics: dict[str, frozenset[Metric]]


@lru_cache(maxsize=16)
def _present(agreements: tuple[tuple[str, str], ...]) -> _Present:
    """Of ids and stored definitions, which seldom change; whoever reads it changes nothing in it."""
    found: dict[str, list[Candidate]] = {}
    for one in ranked(Candidate(id_, parse_agreement(definition)) for id_, definition in agreements):
        found.setdefault(one.agreement.kind, []).append(one)
    metrics = {
        kind: frozenset(
            metric for one in candidates for target in one.agreement.targets for metric in metrics_in(target)
        )
        for kind, candidates in found.items()
    }
    return _Present(found, metrics)


_PRESENT: Final = (
    "select id, agreement.revision, definition from agreement join agreement_revision on agreement = id"
    " and agreement_revision.revision = agreement.revision"
)
_PRESENT_WITH_CALENDARS: Final = f"""
with present as ({_PRESENT})
select id, revision, definition::text as definition, false as is_calendar from present
 union all
select calendar.id, calendar.revision, c.definition::text, true
  from calendar join calendar_revision c on c.calendar = calendar.id and c.revision = calendar.revision
 where calendar.id in (select definition->>'calendar' from present)
"""


@lru_cache(maxsize=4096)
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
        Table("measure", ("kind", "metric")),
    ),
    _apply,
)
