"""iTop's stopwatch: time spent is added up at each stop; the deadline is counted from the last start."""

from datetime import datetime

from tests.differential.hours import ZERO
from tests.differential.scenario import Answer, Explains, Scenario, Watch


class Itop:
    """Deadline = last start + (goal - time spent), computed at each update while it runs."""

    name = "iTop"
    based_on = (
        "`ormStopWatch` {timespent, laststart, stopped}; with the coverage-window extension. The deadline is working"
        " time from `laststart` of goal - `timespent`, computed at each update while running; where a new goal is"
        " smaller than `timespent`, the old deadline is kept, so that the breach may be missed (inferred). One"
        " *pending* state whatever the reason. The optional WorkingTimeRecorder explains a computation."
    )
    explains: Explains = "partly"

    def answer(self, scenario: Scenario) -> Answer:
        hours, goal, spent, watch = scenario.hours, scenario.target, ZERO, Watch()
        start: datetime | None = scenario.opened
        due: datetime | None = hours.add(scenario.opened, goal)
        kept = due
        fired: datetime | None = None
        watch.store(scenario.opened, due)
        for step in scenario.heard():
            at = step.heard
            if start is not None:
                fired = fired or watch.shown(at)
            match step.kind:
                case "hold" | "resolve" if start is not None:
                    spent += hours.elapsed(start, at)
                    start = None
                    due = None if step.kind == "hold" else due
                    watch.store(at, due)
                case "resume" | "reopen" if start is None:
                    start = at
                case "priority":
                    goal, fired = step.target or goal, None
                case "calendar":
                    hours = step.hours or hours
            if start is not None:
                kept = due = kept if goal < spent else hours.add(start, goal - spent)
                watch.store(at, due)
        if start is not None:
            spent += hours.elapsed(start, scenario.now)
            fired = fired or watch.shown(scenario.now)
        return Answer(due, spent, fired)
