"""What one transaction has to know of incidents, clocks and definitions, read once for all that it handles."""

from collections.abc import Sequence

from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.store import Transaction
from sla.domain.decider import CLOCK
from sla.domain.measures import Beginning, IncidentFact, Measure, beginnings, concerned
from sla.projections.clock import Trail, trail_after, trails_of
from sla.projections.definitions import Definitions
from sla.projections.incident_facts import facts_of, keep_and_find


def clock_id(incident: str, metric: str) -> str:
    """The clock of a metric that an incident's opening or first dispatch begins, for its customer."""
    return str(ids.derived_id("clock", incident, metric))


def clock_of(incident: str, measure: Measure, beginning: Beginning) -> str:
    """The clock that something begins: one of several of an incident and a metric, but for those of `clock_id`."""
    if measure.kind == "sla" and (beginning.fact.kind == "Opened" or measure.metric == "contact"):
        return clock_id(incident, measure.metric)
    return str(ids.derived_id("clock", incident, *measure, beginning.fact.event))


class Casebook:
    """The facts of incidents, the revisions that clocks name, and what is behind each clock's last event."""

    def __init__(self, tx: Transaction, facts: dict[str, list[IncidentFact]], trails: dict[str, Trail]) -> None:
        self.tx = tx
        self.definitions = Definitions(tx.connection)
        self._facts = facts
        self._trails = trails
        self._followed = len(tx.appended)

    @classmethod
    async def of_incidents(cls, tx: Transaction, envelopes: Sequence[Envelope]) -> "Casebook":
        """Keep what happened to incidents, and read what concerns their clocks."""
        book = cls(tx, await keep_and_find(tx.connection, envelopes), {})
        measures = await book.definitions.measures()
        heard: dict[str, set[int]] = {}
        for envelope in envelopes:
            heard.setdefault(envelope.subject, set()).add(envelope.aggregateversion)
        clocks = []
        for incident, facts in book._facts.items():
            told = [fact for fact in facts if fact.version in heard[incident]]
            for measure in measures:
                begun = concerned(beginnings(measure, facts), told)
                clocks += [clock_of(incident, measure, beginning) for beginning in begun]
        loaded = await tx.load_many(CLOCK, clocks)
        await tx.flush()
        standing = [clock for clock, found in loaded.items() if found.version]
        book._trails = await trails_of(tx.connection, standing) if standing else {}
        return book

    @classmethod
    async def of_clocks(cls, tx: Transaction, clocks: Sequence[str]) -> "Casebook":
        """Read what concerns clocks that are due."""
        loaded = await tx.load_many(CLOCK, clocks)
        facts = await facts_of(tx.connection, {found.state.incident for found in loaded.values()})
        return cls(tx, facts, await trails_of(tx.connection, clocks))

    def facts_until(self, incident: str, version: int) -> list[IncidentFact]:
        """What happened to an incident up to one of its events: what came later in a batch is not known there yet."""
        return [fact for fact in self._facts[incident] if fact.version <= version]

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
