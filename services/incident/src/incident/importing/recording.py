"""Writing stories of other systems through the event store: many in one transaction, what is known left as it is.

Owns nothing that is not in the events. A step is known by its command id, so a run that was cut off is finished by
running it again, and a longer export of the same log adds only what it tells more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from incident.domain.commands import RecordStep
from incident.domain.completion import IMPORT, CompleteImport
from incident.domain.decider import DECIDER
from incident.domain.state import Incident
from incident.importing.story import Note, Step, Story
from incident.looking_up import look_up
from incident.numbers import next_numbers
from opsledger_events.contexts.incident import IncidentOpened
from opsledger_runtime import ids
from opsledger_runtime.store import EventStore, Loaded, Metadata, Transaction

ACTOR: Final = "service:import"

_EARLIER: Final = """
select found.import, count(*) as incidents
  from unnest($1::text[]) as wanted (aggregate) cross join lateral (
    select distinct convert_from(body, 'UTF8')::jsonb->>'importid' as import
      from es.event where aggregate = wanted.aggregate offset 0) as found
 where found.import is not null group by 1
"""


@dataclass(slots=True)
class Written:
    """What was recorded: `skipped` incidents told nothing new. `earlier`: incidents by the import that told of them.

    `late` are notes of steps that came after something which happened later.
    """

    incidents: int = 0
    events: int = 0
    skipped: int = 0
    late: list[Note] = field(default_factory=list)
    earlier: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Written") -> None:
        """Both together."""
        self.incidents += other.incidents
        self.events += other.events
        self.skipped += other.skipped
        self.late += other.late
        for import_id, count in other.earlier.items():
            self.earlier[import_id] = self.earlier.get(import_id, 0) + count


async def record(store: EventStore, import_id: str, stories: Sequence[Story], *, dry: bool = False) -> Written:
    """Record these stories in one transaction; `dry`: say what would be recorded, and record nothing.

    Raises:
        asyncpg.PostgresError, OSError: the database refuses or is away; nothing of these stories is recorded then.
    """

    async def work(transaction: Transaction) -> Written:
        known = await transaction.load_many(DECIDER, [story.incident for story in stories])
        written = Written(earlier=await _earlier(transaction.connection, known))
        missing = [story for story in stories if not known[story.incident].version]
        opening = {} if dry else await _openings(transaction.connection, missing)
        for story in stories:
            before = known[story.incident]
            new = [step for step in story.steps if step.command not in before.commands]
            opened = sum(isinstance(event, IncidentOpened) for step in new for event in step.events)
            written.events += sum(len(step.events) for step in new) - (opened if before.version else 0)
            written.incidents += bool(new)
            written.skipped += not new
            for step in new:
                if before.time is not None and step.at < before.time:
                    text = f"tells of {step.at:%Y-%m-%dT%H:%MZ}, before what was recorded already: recorded as of then"
                    written.late.append(Note(step.line, story.number, "told_late", text))
                if not dry:
                    await _append(transaction, import_id, story, step, opening.get(story.incident, {}))
        return written

    return await store.run(work)


async def _earlier(connection: Any, known: Mapping[str, Loaded[Incident]]) -> dict[str, int]:
    there = [incident for incident, loaded in known.items() if loaded.version]
    if not there:
        return {}
    return {row["import"]: row["incidents"] for row in await connection.fetch(_EARLIER, there)}


async def _openings(connection: Any, stories: Sequence[Story]) -> dict[str, dict[str, str | None]]:
    """What this desk adds to the opening of each: a number, and the criticality of its item where that is known."""
    numbers = await next_numbers(connection, len(stories))
    named = {story.incident: _item(story) for story in stories}
    known = await look_up(connection, filter(None, named.values()))
    found: dict[str, dict[str, str | None]] = {}
    for story, number in zip(stories, numbers, strict=True):
        name = named[story.incident]
        item = known.item([name], None) if name is not None else None
        found[story.incident] = {"number": number, "criticality": item.criticality if item is not None else None}
    return found


def _item(story: Story) -> str | None:
    events = (event for step in story.steps for event in step.events)
    return next((event.configuration_item for event in events if isinstance(event, IncidentOpened)), None)


async def _append(
    transaction: Transaction, import_id: str, story: Story, step: Step, opening: Mapping[str, str | None]
) -> None:
    loaded = await transaction.load(DECIDER, story.incident)
    events = tuple(
        event.model_copy(update=opening) if isinstance(event, IncidentOpened) else event for event in step.events
    )
    metadata = Metadata(
        command_id=step.command, actor=step.actor or ACTOR, correlation_id=story.incident, import_id=import_id
    )
    time = step.at if loaded.time is None else max(step.at, loaded.time)
    await transaction.execute(DECIDER, story.incident, RecordStep(events), metadata, time=time)


async def complete(store: EventStore, import_id: str, command: CompleteImport) -> bool:
    """Say that everything of an import is recorded; False where that was said before and nothing is new.

    Raises:
        asyncpg.PostgresError, OSError: the database refuses or is away.
    """
    metadata = Metadata(command_id=ids.new_id(), actor=ACTOR, import_id=import_id)

    async def work(transaction: Transaction) -> bool:
        return bool(await transaction.execute(IMPORT, f"import-{import_id}", command, metadata))

    return await store.run(work)
