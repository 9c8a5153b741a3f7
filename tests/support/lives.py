"""Random lives of incidents, for tests of what the service levels make of them."""

import random
from typing import Any

from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentHeld,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
)


def life(dice: random.Random) -> list[tuple[Any, float]]:
    """Steps that an incident may take, with their hours."""
    told: list[tuple[Any, float]] = []
    state, hour, priority = "new", 0.0, 1
    for _ in range(dice.randint(3, 12)):
        hour += dice.choice([0.0, 0.25, 1.0, 4.0, 7.5])
        step = dice.choice({"new": "pha", "open": "pphara", "held": "pmmr", "done": "xxp"}[state])
        match step:
            case "p":
                new = dice.randint(1, 5)
                told.append((IncidentPrioritised(impact=1, urgency=1, priority=new, previous_priority=priority), hour))
                priority = new
            case "h":
                told.append((IncidentHeld(reason=dice.choice(["awaiting_requester", "lunch"])), hour))
                state = "held"
            case "m":
                told.append((IncidentResumed(), hour))
                state = "open"
            case "a":
                told.append((dice.choice([IncidentAssigned(team=f"t{hour}"), IncidentStarted(assignee="p")]), hour))
                state = "open"
            case "r":
                told.append((IncidentResolved(responsibility="provider", resolution="x"), hour))
                state = "done"
            case "x":
                told.append((IncidentReopened(reason="x"), hour))
                state = "open"
    return told
