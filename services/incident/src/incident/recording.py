"""Writing generated histories through the event store: many lives in one transaction, every rule in force.

Owns nothing that is not in the events. A life that was recorded before is left as it is, so a run that was cut off is
finished by running it again.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from incident import generating
from incident.domain.commands import OpenIncident
from incident.domain.decider import DECIDER
from incident.domain.state import Incident
from incident.generating import Plan, Step
from incident.numbers import next_numbers
from opsledger_runtime.store import EventStore, Loaded, Metadata, Transaction


class Recorded(NamedTuple):
    """How many incidents and events were written, and how many incidents were there already."""

    incidents: int = 0
    events: int = 0
    skipped: int = 0

    def plus(self, other: "Recorded") -> "Recorded":
        """Both together."""
        return Recorded(self.incidents + other.incidents, self.events + other.events, self.skipped + other.skipped)


async def record(store: EventStore, plan: Plan, indices: Iterable[int]) -> Recorded:
    """Record these lives of the plan in one transaction; a life's events follow one another in the outbox.

    Raises:
        asyncpg.PostgresError, OSError: the database refuses or is away; nothing of these lives is recorded then.
    """
    wanted = {generating.command_id(plan.seed, index): index for index in indices}

    async def work(transaction: Transaction) -> Recorded:
        missing = await _missing(transaction.connection, wanted)
        numbers = await next_numbers(transaction.connection, len(missing))
        for (incident, command), number in zip(missing.items(), numbers, strict=True):
            await _live(transaction, plan, generating.life(plan, wanted[command], number), incident, command)
        return Recorded(len(missing), len(transaction.appended), len(wanted) - len(missing))

    return await store.run(work)


async def prefix(connection: Any, seed: int, most: int) -> int:
    """How many histories of a seed are recorded without a gap from index 0, looked for up to `most`.

    By halving: right where earlier runs came to their end.
    """
    there, gone = 0, most + 1
    while gone - there > 1:
        middle = (there + gone) // 2
        if await _missing(connection, [generating.command_id(seed, middle - 1)]):
            gone = middle
        else:
            there = middle
    return there


async def _missing(connection: Any, commands: Iterable[UUID]) -> dict[str, UUID]:
    """The incidents that are not recorded, each with the command that opens it."""
    found = {generating.incident_id(command): command for command in commands}
    there = await connection.fetch(
        "select aggregate from es.event where aggregate = any($1::text[]) and version = 1", list(found)
    )
    for row in there:
        del found[row["aggregate"]]
    return found


async def _live(transaction: Transaction, plan: Plan, steps: Sequence[Step], incident: str, command: UUID) -> None:
    opening, known_by = steps[0].command, str(command)
    metadata = Metadata(
        command_id=command,
        actor=generating.ACTOR,
        correlation_id=known_by,  # what they would be anyway, spelled once for the whole life
        causation_id=known_by,
        organisation=opening.organisation if isinstance(opening, OpenIncident) else None,
        import_id=plan.import_id,
    )
    loaded: Loaded[Incident] | None = Loaded(DECIDER.initial_state)  # it was just looked for, and is not there
    for step in steps:
        await transaction.execute(DECIDER, incident, step.command, metadata, time=step.at, loaded=loaded)
        loaded = None
