"""Grouping what fails together, when alerts open incidents of known configuration items.

All of it is in the transaction that opens them, and on exactly the states that it read: who comes in between makes the
store meet a conflict, and the batch is judged anew. Transactions that do this follow one another (`looking_up`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from incident.domain.commands import GroupIncident
from incident.domain.decider import DECIDER
from incident.domain.grouping import Failing, Network, groupings
from incident.domain.state import OPEN
from incident.projections import impact
from opsledger_runtime import ids
from opsledger_runtime.store import Metadata, Transaction


@dataclass(slots=True)
class Failures:
    """The incidents of known items that a batch opens."""

    fresh: dict[str, Failing] = field(default_factory=dict)

    def opened(self, incident: str, number: str, item: str) -> None:
        """An incident opens for this item."""
        self.fresh[incident] = Failing(incident, number, item, fresh=True)

    async def group(self, transaction: Transaction, metadata: Callable[[UUID, str | None], Metadata]) -> None:
        """Put what opened under its cause, and what was open before under a cause that opened now."""
        if not self.fresh:
            return
        edges = await impact.around(transaction.connection, sorted({one.item for one in self.fresh.values()}))
        if not edges:
            return
        items = {item for edge in edges for item in edge}
        standing = await impact.failing(transaction.connection, items)
        others = [one for one in standing if one.incident not in self.fresh]
        planned = groupings([*others, *self.fresh.values()], Network(edges))
        if not planned:
            return
        # Read again as their events say: within this batch some may have ended, and the table does not know yet.
        concerned = {one.incident for grouping in planned for one in (grouping.child, grouping.parent)}
        loaded = await transaction.load_many(DECIDER, sorted(concerned))
        keys = await impact.keys(transaction.connection, {item for grouping in planned for item in grouping.path})
        for grouping in planned:
            child, parent = loaded[grouping.child.incident], loaded[grouping.parent.incident].state
            if parent.state not in OPEN:
                continue
            path = tuple(keys.get(item, item) for item in grouping.path)
            command = GroupIncident(grouping.parent.incident, parent.number, path)
            command_id = ids.derived_id("grouping", grouping.child.incident, grouping.parent.incident)
            events = DECIDER.decide(command, child.state)
            transaction.append(DECIDER, grouping.child.incident, child, events, metadata(command_id, None))
