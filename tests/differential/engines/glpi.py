"""GLPI, time to resolve: a stored deadline and a sum of waiting time, set back to zero by a change of priority."""

from datetime import datetime, timedelta

from tests.differential.hours import ZERO
from tests.differential.scenario import Answer, Explains, Scenario, Watch


class Glpi:
    """Deadline = opening + target + waiting; waiting grows when the ticket leaves *pending* or *solved*."""

    name = "GLPI"
    based_on = (
        "On leaving *pending*, or reopening, the active time since `begin_waiting_date` is added to"
        " `sla_waiting_duration`, and the deadline is computed from the opening; while pending it is not moved, so it"
        " can show as exceeded (glpi#24481). A new SLA or priority computes from the opening and sets the waiting to 0"
        " (#6902, #15605). One *pending* state whatever the reason; time to own is not paused. The calendar is today's."
    )
    explains: Explains = "no"

    def answer(self, scenario: Scenario) -> Answer:
        hours, target, waiting, watch = scenario.hours, scenario.target, ZERO, Watch()
        begun: datetime | None = None
        solved: datetime | None = None

        def deadline() -> datetime:
            return hours.add(scenario.opened, target + waiting)

        watch.store(scenario.opened, deadline())
        for step in scenario.heard():
            at = step.heard
            match step.kind:
                case "hold" if scenario.metric == "resolution":
                    begun = begun or at
                case "resolve":
                    solved, begun = at, begun or at
                case "resume" | "reopen" if begun is not None:
                    waiting += hours.elapsed(begun, at)
                    begun = solved = None
                    watch.store(at, deadline())
                case "priority":
                    target, waiting = step.target or target, ZERO
                    watch.store(at, deadline())
                case "calendar":
                    hours = step.hours or hours
        end = begun or scenario.now
        elapsed: timedelta = hours.elapsed(scenario.opened, end) - waiting
        return Answer(deadline(), elapsed, watch.shown(solved or scenario.now))
