"""What one transaction has to know of incidents, clocks and definitions, read once for all that it handles."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final
from uuid import UUID

from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.store import Loaded, Transaction
from sla.domain.commands import Subject
from sla.domain.decider import CLOCK
from sla.domain.measures import Beginning, IncidentFact, Measure, beginnings, concerned, concerns
from sla.domain.state import ClockState
from sla.projections.clock import Trail, trail_after, trails_of
from sla.projections.definitions import Definitions
from sla.projections.incident_facts import fact_of, facts_of, keep, subject_at

_IN_ORDER: Final = attrgetter("at", "version")


def clock_id(incident: str, metric: str) -> str:
    """The clock of a metric that an incident's opening or first dispatch begins, for its customer."""
    return str(ids.derived_id("clock", incident, metric))


def clock_of(incident: str, measure: Measure, beginning: Beginning) -> str:
    """The clock that something begins: one of several of an incident and a metric, but for those of `clock_id`."""
    if measure.kind == "sla" and (beginning.fact.kind == "Opened" or measure.metric == "contact"):
        return clock_id(incident, measure.metric)
    return str(ids.derived_id("clock", incident, *measure, beginning.fact.event))


@dataclass(frozen=True, slots=True)
class Told:
    """An event of an incident, and the incident as it is with it: what came later in a batch is not known there yet."""

    envelope: Envelope
    fact: IncidentFact
    subject: Subject
    facts: list[IncidentFact]

    @classmethod
    def of(cls, envelope: Envelope, facts: Sequence[IncidentFact]) -> "Told | None":
        """None while the opening is unknown."""
        known = [fact for fact in facts if fact.version <= envelope.aggregateversion]
        subject = subject_at(envelope.subject, known, envelope.time)
        fact = next((one for one in known if one.version == envelope.aggregateversion), None)
        return None if subject is None or fact is None else cls(envelope, fact, subject, known)


class Casebook:
    """The facts of incidents, the revisions that clocks name, and what is behind each clock's last event."""

    def __init__(
        self,
        tx: Transaction,
        facts: dict[str, list[IncidentFact]],
        trails: dict[str, Trail],
        stamp: UUID | None = None,
    ) -> None:
        self.tx = tx
        self.definitions = Definitions(tx.connection, stamp)
        self._facts = facts
        self._trails = trails
        self._followed = len(tx.appended)
        self._new: set[str] = set()
        self._begun: set[str] = set()

    @classmethod
    async def of_incidents(
        cls, tx: Transaction, envelopes: Sequence[Envelope], also: Collection[str] = ()
    ) -> "Casebook":
        """Keep what happened to incidents, and read what concerns their clocks; the facts of others `also`.

        An incident that is new is not read, and neither are clocks that no event of the batch concerns.
        """
        told: dict[str, list[IncidentFact]] = {}
        for envelope in envelopes:
            told.setdefault(envelope.subject, []).append(fact_of(envelope))
        new, stamp = await keep(tx.connection, [(incident, fact) for incident, facts in told.items() for fact in facts])
        book = cls(tx, {}, {}, stamp)
        measures = await book.definitions.measures()
        heard = {
            incident: found
            for incident, facts in told.items()
            if incident not in new and ((found := _heard(measures, facts)) or incident in also)
        }
        book._new = new
        book._facts = await facts_of(tx.connection, heard)
        clocks = []
        for incident, facts in book._facts.items():
            for measure, concerning in heard[incident]:
                begun = concerned(beginnings(measure, facts), concerning)
                clocks += [clock_of(incident, measure, beginning) for beginning in begun]
        book._facts |= {incident: sorted(told[incident], key=_IN_ORDER) for incident in new}
        if clocks:
            loaded = await tx.load_many(CLOCK, clocks)
            await tx.flush()
            started = [clock for clock, found in loaded.items() if found.version]
            book._trails = await trails_of(tx.connection, started) if started else {}
        return book

    async def load(self, incident: str, clock: str) -> Loaded[ClockState]:
        """A clock of an incident as its events left it. A new incident's is not looked for before it was begun here."""
        if incident in self._new and clock not in self._begun:
            return Loaded(CLOCK.initial_state)
        return await self.tx.load(CLOCK, clock)

    def begun(self, clock: str) -> None:
        """The clock was started in this transaction."""
        self._begun.add(clock)

    @classmethod
    async def of_clocks(cls, tx: Transaction, clocks: Sequence[str]) -> "Casebook":
        """Read what concerns clocks that are due."""
        loaded = await tx.load_many(CLOCK, clocks)
        facts = await facts_of(tx.connection, {found.state.incident for found in loaded.values()})
        return cls(tx, facts, await trails_of(tx.connection, clocks))

    def told(self, envelope: Envelope) -> Told | None:
        """An event of the batch; None where it concerns nothing that was read, or the opening is unknown."""
        facts = self._facts.get(envelope.subject)
        return None if facts is None else Told.of(envelope, facts)

    def facts(self, incident: str) -> list[IncidentFact]:
        """All that is known of an incident."""
        return self._facts[incident]

    def trail(self, clock: str) -> Trail:
        """What is behind the clock's last event, those included that this transaction has appended.

        Raises:
            LookupError: the clock has no event.
        """
        for envelope in self.tx.appended[self._followed :]:
            self._trails[envelope.subject] = trail_after(self._trails.get(envelope.subject), envelope)
        self._followed = len(self.tx.appended)
        return self._trails[clock]


def _heard(measures: Iterable[Measure], facts: Iterable[IncidentFact]) -> list[tuple[Measure, list[IncidentFact]]]:
    """The measures that some of what happened concerns, each with that."""
    found = ((measure, [fact for fact in facts if concerns(measure, fact)]) for measure in measures)
    return [(measure, concerning) for measure, concerning in found if concerning]
