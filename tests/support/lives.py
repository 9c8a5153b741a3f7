"""Random lives of incidents, for tests of what the service levels make of them."""

import random
from typing import Any

from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentHeld,
    IncidentNoted,
    IncidentPrioritised,
    IncidentReopened,
    IncidentRequesterContacted,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
    IncidentWorkaroundProvided,
)


def _note(dice: random.Random) -> Any:
    """Nothing that the requester hears."""
    return dice.choice([IncidentWorkaroundProvided(workaround="x"), IncidentNoted(text="x")])


def life(dice: random.Random) -> list[tuple[Any, float]]:
    """Steps that an incident may take, with their hours."""
    told: list[tuple[Any, float]] = []
    state, hour, priority = "new", 0.0, 1
    for _ in range(dice.randint(3, 12)):
        hour += dice.choice([0.0, 0.25, 1.0, 4.0, 7.5])
        step = dice.choice({"new": "phan", "open": "pphataran", "held": "pmmrtn", "done": "xxpn"}[state])
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
            case "t":
                team, person = dice.choice(["network", "vendor"]), dice.choice([None, None, "person-1", "person-2"])
                told.append((IncidentAssigned(team=team, assignee=person), hour))
            case "n":
                spoken = IncidentRequesterContacted(channel="phone")
                told.append((dice.choice([spoken, IncidentNoted(text="x", public=True), _note(dice)]), hour))
            case "r":
                told.append((IncidentResolved(responsibility="provider", resolution="x"), hour))
                state = "done"
            case "x":
                told.append((IncidentReopened(reason="x"), hour))
                state = "open"
    return told
