"""What one transaction has to know of incidents, clocks and definitions, read once for all that it handles."""

from collections.abc import Iterable, Sequence

from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.store import Transaction
from sla.domain.decider import CLOCK
from sla.projections.clock import Trail, trail_after, trails_of
from sla.projections.definitions import Definitions
from sla.projections.incident_facts import IncidentFact, facts_of, keep_and_find


def clock_id(incident: str, metric: str) -> str:
    """The clock of an incident and a metric."""
    return str(ids.derived_id("clock", incident, metric))


class Casebook:
    """The facts of incidents, the revisions that clocks name, and what is behind each clock's last event."""

    def __init__(self, tx: Transaction, facts: dict[str, list[IncidentFact]], trails: dict[str, Trail]) -> None:
        self.tx = tx
        self.definitions = Definitions(tx.connection)
        self._facts = facts
        self._trails = trails
        self._followed = len(tx.appended)

    @classmethod
    async def of_incidents(cls, tx: Transaction, envelopes: Sequence[Envelope], metrics: Iterable[str]) -> "Casebook":
        """Keep what happened to incidents, and read what concerns their clocks."""
        facts = await keep_and_find(tx.connection, envelopes)
        loaded = await tx.load_many(CLOCK, [clock_id(incident, metric) for incident in facts for metric in metrics])
        await tx.flush()
        standing = [clock for clock, found in loaded.items() if found.version]
        return cls(tx, facts, await trails_of(tx.connection, standing) if standing else {})

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
