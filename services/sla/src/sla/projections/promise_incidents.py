"""Incidents as promises need them: what they are called, whose they are, who works on them. Subscribed, by `promises`.

An event of an incident whose opening is unknown leaves no row.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import IncidentAssigned, IncidentOpened, IncidentStarted
from opsledger_runtime.projections import Projection, Table
from sla.domain.promise_commands import PromiseSubject

_OPENED: Final = IncidentOpened.type_name
READS: Final = frozenset({_OPENED, IncidentAssigned.type_name, IncidentStarted.type_name})

_COLUMNS: Final = ("incident", "number", "title", "organisation", "service", "requester", "team", "assignee")
_SELECT: Final = f"select {', '.join(_COLUMNS)} from promise_incident"
_UPSERT: Final = f"""
insert into promise_incident ({", ".join(_COLUMNS)})
select * from unnest({", ".join(f"${n + 1}::text[]" for n in range(len(_COLUMNS)))})
on conflict (incident) do update set ({", ".join(_COLUMNS)}) = ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
"""


class Subjects:
    """Incidents as they stood at each event of a batch, told in order."""

    def __init__(self, known: dict[str, PromiseSubject]) -> None:
        self._known = known
        self._changed: set[str] = set()

    @classmethod
    async def of(cls, connection: Any, envelopes: Sequence[Envelope], also: Collection[str] = ()) -> "Subjects":
        """Those that the batch changes, and others that it is about; one look at the table, if any."""
        opened = {one.subject for one in envelopes if one.type_name == _OPENED}
        wanted = ({one.subject for one in envelopes if one.type_name in READS} | set(also)) - opened
        return cls(await subjects_of(connection, wanted))

    def take(self, envelope: Envelope) -> PromiseSubject | None:
        """The incident after an event of it; None while its opening is unknown."""
        before = self._known.get(envelope.subject)
        after = _after(before, envelope) if envelope.type_name in READS else before
        if after is not None and after != before:
            self._known[envelope.subject] = after
            self._changed.add(envelope.subject)
        return after

    async def save(self, connection: Any) -> None:
        """Write what changed, in one statement."""
        if self._changed:
            rows = [self._known[incident] for incident in sorted(self._changed)]
            columns = [list(map(attrgetter(name), rows)) for name in _COLUMNS]
            await connection.execute(_UPSERT, *columns)


def _after(before: PromiseSubject | None, envelope: Envelope) -> PromiseSubject | None:
    match decode(envelope):
        case IncidentOpened() as opened:
            return PromiseSubject(
                envelope.subject,
                opened.number,
                opened.title,
                opened.organisation or envelope.organisation,
                opened.service,
                opened.requester,
                opened.team,
            )
        case IncidentAssigned() as assigned if before is not None:
            return replace(before, team=assigned.team, assignee=assigned.assignee)
        case IncidentStarted() as started if before is not None and started.assignee is not None:
            return replace(before, assignee=started.assignee)
    return before


async def subjects_of(connection: Any, incidents: Iterable[str]) -> dict[str, PromiseSubject]:
    """Those that are known."""
    wanted = list(incidents)
    if not wanted:
        return {}
    rows = await connection.fetch(f"{_SELECT} where incident = any($1::text[])", wanted)
    return {row["incident"]: PromiseSubject(*row) for row in rows}


async def named(connection: Any, id_or_number: str) -> PromiseSubject | None:
    """The incident with this id or number."""
    row = await connection.fetchrow(
        f"{_SELECT} where incident = $1 or number = $1 order by incident = $1 desc, incident limit 1", id_or_number
    )
    return None if row is None else PromiseSubject(*row)


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    subjects = await Subjects.of(connection, envelopes)
    for envelope in envelopes:
        subjects.take(envelope)
    await subjects.save(connection)


PROMISE_INCIDENTS: Final = Projection(
    "promise_incidents", 1, READS, (Table("promise_incident", ("incident",)),), _apply
)
