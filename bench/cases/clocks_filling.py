"""In a process of its own: generated histories as the facts that clocks know of incidents, without a bus between.

The lives are the generator's and the events the incident's; they are kept by what keeps them in the service.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from incident import generating
from incident.domain.commands import OpenIncident
from incident.domain.decider import DECIDER
from incident.generating import Plan
from opsledger_events import Envelope
from opsledger_events.envelope import parse_instant
from opsledger_runtime import ids
from sla.projections.incident_facts import INCIDENT_FACTS

DAYS: Final = 365
_BATCH: Final = 2_000
_SEED: Final = 1
_OPEN_SHARE: Final = 50
"""One in so many is left unresolved, the newest ones."""


async def fill(url: str, until: str, incidents: int, part: int, parts: int) -> dict[str, int]:
    """Write one part of so many incidents of a year; how many facts there are of it."""
    end = parse_instant(until)
    plan = Plan(_SEED, 0, incidents, end - timedelta(days=DAYS), end, "full", incidents // _OPEN_SHARE)
    written = 0
    connection = await asyncpg.connect(url, server_settings={"search_path": "sla, es", "timezone": "UTC"})
    try:
        mine = range(part, incidents, parts)
        for first in range(0, len(mine), _BATCH):
            told = [one for index in mine[first : first + _BATCH] for one in life(plan, index, end)]
            await INCIDENT_FACTS.apply(connection, [one for one in told if one.type_name in INCIDENT_FACTS.reads])
            written += len(told)
    finally:
        await connection.close()
    return {"events": written}


def life(plan: Plan, index: int, recorded: datetime) -> Iterator[Envelope]:
    """The events of one incident."""
    command = generating.command_id(plan.seed, index)
    incident = generating.incident_id(command)
    steps = generating.life(plan, index, f"INC{index + 1:07d}")
    opening = steps[0].command
    organisation = opening.organisation if isinstance(opening, OpenIncident) else None
    state, version = DECIDER.initial_state, 0
    for step in steps:
        for event in DECIDER.decide(step.command, state):
            state, version = DECIDER.evolve(state, event), version + 1
            yield Envelope(
                id=ids.event_id(command, version),
                type=f"opsledger.{event.type_name}",
                source="/opsledger/bench/incident",
                subject=incident,
                time=step.at,
                recordedtime=recorded,
                aggregateversion=version,
                partitionkey=incident,
                correlationid=str(command),
                actor=generating.ACTOR,
                organisation=organisation,
                data=event.model_dump(mode="json", exclude_none=True),
            )
