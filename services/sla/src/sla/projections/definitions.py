"""Calendars and agreements, with every revision. Inline: commands and clocks need them at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_runtime.errors import NotFound
from opsledger_runtime.projections import Projection, Table
from sla.domain.agreements import metrics_in
from sla.domain.calendar import Calendar, calendar_from
from sla.domain.clock import Terms as ClockTerms
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

    if envelopes:
        await connection.execute(
            "insert into definition_stamp (id, event) values (1, $1) on conflict (id) do update set event = $1",
            envelopes[-1].id,
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

    def of_clocks(self) -> ClockTerms:
        """As a clock is computed with them."""
        agreement = self.agreement
        pausing, warnings = frozenset(agreement.pausing_reasons), tuple(agreement.warning_percent)
        return ClockTerms(self.calendar, pausing, warnings, agreement.retarget, agreement.reopen)


class Definitions:
    """Calendars and agreements as one transaction sees them.

    What stands is read whole and kept: a transaction asks only whether it is still what stands, unless it was told the
    `stamp`.
    """

    def __init__(self, connection: Any, stamp: UUID | None = None) -> None:
        self._connection = connection
        self._stamp = stamp
        self._calendars: dict[tuple[str, int], Calendar] = {}
        self._agreements: dict[tuple[str, int], AgreementDefined] = {}
        self._found: _Present | None = None
        self._chosen: dict[Situation, Terms | None] = {}

    async def calendar(self, calendar: str, revision: int) -> Calendar:
        """The calendar of a revision.

        Raises:
            NotFound: there is none.
        """
        if (key := (calendar, revision)) not in self._calendars:
            known = (await self._present()).calendars.get(calendar)
            self._calendars[key] = (
                known[1]
                if known is not None and known[0] == revision
                else parse_calendar(await self._definition("calendar", calendar, revision))
            )
        return self._calendars[key]

    async def agreement(self, agreement: str, revision: int) -> AgreementDefined:
        """The agreement of a revision.

        Raises:
            NotFound: there is none.
        """
        if (key := (agreement, revision)) not in self._agreements:
            known = (await self._present()).agreements.get(agreement)
            self._agreements[key] = (
                known
                if known is not None and known.revision == revision
                else parse_agreement(await self._definition("agreement", agreement, revision))
            )
        return self._agreements[key]

    async def choose(self, situation: Situation) -> Terms | None:
        """Those of the most specific agreement that is for an incident, whether or not it has a target for it."""
        if situation not in self._chosen:
            present = await self._present()
            found = choose(present.ranked.get(situation.kind, ()), situation)
            self._chosen[situation] = None if found is None else present.terms(found)
        return self._chosen[situation]

    async def terms(self, agreement: str, revision: int) -> Terms | None:
        """Those of an agreement's revision with the calendar as it stands; None where that is unknown."""
        return (await self._present()).terms(Candidate(agreement, await self.agreement(agreement, revision)))

    async def measures(self) -> tuple[Measure, ...]:
        """What any revision of an agreement promises: there are clocks of nothing else."""
        return (await self._present()).measures

    async def _present(self) -> "_Present":
        if self._found is None:
            if self._stamp is None:
                self._stamp = await self._connection.fetchval("select event from definition_stamp")
            self._found = None if self._stamp is None else _KNOWN.get(self._stamp)
        if self._found is None:
            self._found = _Present.of(await self._connection.fetch(_READ))
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            if self._found.stamp is not None:
                _KNOWN[self._found.stamp] = self._found
        return self._found

    async def _definition(self, kind: str, key: str, revision: int) -> str:
        text: str | None = await self._connection.fetchval(
            f"select definition::text from {kind}_revision where {kind} = $1 and revision = $2", key, revision
        )
        if text is None:
            raise NotFound(f"There is no such {kind}.")
        return text


@dataclass(frozen=True, slots=True)
class _Present:
    """All that stood after the event `stamp`; whoever reads it changes nothing in it.

    `ranked`: agreements by kind, the most specific first. `calendars`: the revision, and what it says.
    """

    stamp: UUID | None
    agreements: Mapping[str, AgreementDefined]
    ranked: Mapping[str, Sequence[Candidate]]
    calendars: Mapping[str, tuple[int, Calendar]]
    measures: tuple[Measure, ...]

    @classmethod
    def of(cls, rows: Sequence[Any]) -> "_Present":
        told: dict[str, list[Any]] = {"agreement": [], "calendar": [], "measure": [], "stamp": []}
        for row in rows:
            told[row["what"]].append(row)
        agreements = {row["id"]: parse_agreement(row["text"]) for row in told["agreement"]}
        candidates: dict[str, list[Candidate]] = {}
        for one in ranked(Candidate(*item) for item in agreements.items()):
            candidates.setdefault(one.agreement.kind, []).append(one)
        measures = {(row["id"], row["text"]) for row in told["measure"]}
        return cls(
            UUID(told["stamp"][0]["id"]) if told["stamp"] else None,
            agreements,
            candidates,
            {row["id"]: (row["revision"], parse_calendar(row["text"])) for row in told["calendar"]},
            tuple(one for one in MEASURES if (one.kind, one.metric) in measures),
        )

    def terms(self, found: Candidate) -> Terms | None:
        """Those of an agreement; None where the calendar that it names is unknown."""
        known = self.calendars.get(found.agreement.calendar)
        return None if known is None else Terms(found.id, found.agreement, *known, stated(found.agreement))


_MOST_KNOWN: Final = 8
_KNOWN: Final[dict[UUID, _Present]] = {}
"""What stood after the last definitions that this process has seen."""

_PRESENT: Final = (
    "select id, definition from agreement join agreement_revision on agreement = id"
    " and agreement_revision.revision = agreement.revision"
)
_READ: Final = f"""
select 'agreement' as what, id, null as revision, definition::text as text from ({_PRESENT}) present
 union all
select 'calendar', id, calendar.revision, definition::text
  from calendar join calendar_revision on calendar = id and calendar_revision.revision = calendar.revision
 union all
select 'measure', kind, null, metric from measure
 union all
select 'stamp', event::text, null, null from definition_stamp
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
        Table("definition_stamp", ("id",), volatile=("event",)),
        Table("measure", ("kind", "metric")),
    ),
    _apply,
)
