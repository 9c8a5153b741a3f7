"""Grouping what fails together, when alerts open incidents of known configuration items.

What belongs under what is planned before anything opens, so that an incident is grouped in the same breath as it opens
and nobody is called twice; what was open before follows at the end. All of it is in one transaction, on exactly the
states that it read: who comes in between makes the store meet a conflict, and the batch is judged anew. Transactions
that do this follow one another (`looking_up`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from incident.domain.commands import GroupIncident
from incident.domain.decider import DECIDER
from incident.domain.grouping import Failing, Grouping, Network, groupings
from incident.domain.state import OPEN
from incident.projections import impact
from opsledger_runtime import ids
from opsledger_runtime.store import Metadata, Transaction


@dataclass(slots=True)
class Failures:
    """What a batch groups. `plan` by the incident that goes under another."""

    transaction: Transaction
    plan: dict[str, Grouping] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    async def foresee(self, opening: Mapping[str, str]) -> None:
        """Plan for incidents that may open: their items by their ids, the first in the batch first."""
        connection = self.transaction.connection
        edges = await impact.around(connection, sorted(set(opening.values()))) if opening else []
        if not edges:
            return
        standing = await impact.failing(connection, {item for edge in edges for item in edge})
        # They have no numbers yet, and come after all that have.
        fresh = [Failing(incident, f"~{n:06d}", opening[incident], fresh=True) for n, incident in enumerate(opening)]
        known = [one for one in standing if one.incident not in opening]
        self.plan = {one.child.incident: one for one in groupings([*known, *fresh], Network(edges))}
        concerned = {end.incident for one in self.plan.values() for end in (one.child, one.parent) if not end.fresh}
        if self.plan:
            self.keys = await impact.keys(connection, {item for one in self.plan.values() for item in one.path})
            await self.transaction.load_many(DECIDER, sorted(concerned))

    def depth(self, incident: str) -> int:
        """How many incidents of this batch must open before this one does."""
        one = self.plan.get(incident)
        return 0 if one is None or not one.parent.fresh else 1 + self.depth(one.parent.incident)

    async def cause(self, incident: str) -> GroupIncident | None:
        """Under what an incident belongs that opens now; nothing where its cause is over or did not open."""
        one = self.plan.get(incident)
        if one is None:
            return None
        parent = (await self.transaction.load(DECIDER, one.parent.incident)).state
        if parent.state not in OPEN:
            return None
        return GroupIncident(one.parent.incident, parent.number, tuple(self.keys.get(item, item) for item in one.path))

    async def group(self, metadata: Callable[[UUID, str | None], Metadata]) -> None:
        """Put what was open before under what opened."""
        for incident, one in self.plan.items():
            if one.child.fresh:
                continue
            command = await self.cause(incident)
            if command is not None:
                loaded = await self.transaction.load(DECIDER, incident)
                events = DECIDER.decide(command, loaded.state)
                command_id = ids.derived_id("grouping", incident, command.parent)
                self.transaction.append(DECIDER, incident, loaded, events, metadata(command_id, None))
