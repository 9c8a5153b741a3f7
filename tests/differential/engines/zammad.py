"""Zammad, solution time: computed anew from the creation each time, with past pauses as breaks of whole minutes."""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.differential.hours import ZERO
from tests.differential.scenario import Answer, Explains, Scenario, Watch


class Zammad:
    """Escalation = creation + target, without the breaks; nothing is shown while paused."""

    name = "Zammad"
    based_on = (
        "`escalation_at` is computed from `created_at` with today's SLA, calendar and state flags, whatever they were"
        " then; each past interval in a state with `ignore_escalation` is a break, kept to the minute (`%H:%M`); while"
        " paused all escalation times are empty. Calendars have hours and holidays, and no working days by exception."
    )
    explains: Explains = "no"

    def answer(self, scenario: Scenario) -> Answer:
        hours, target, watch = replace(scenario.hours, make_up_days=()), scenario.target, Watch()
        breaks: list[tuple[datetime, datetime]] = []
        begun: datetime | None = None
        solved: datetime | None = None

        def elapsed(end: datetime) -> timedelta:
            return hours.elapsed(scenario.opened, end) - sum((hours.elapsed(*one) for one in breaks), ZERO)

        def escalation() -> datetime:
            due = hours.add(scenario.opened, target)
            for start, end in sorted(breaks):
                if start < due:
                    due = hours.add(max(due, start), hours.elapsed(start, end))
            return due

        watch.store(scenario.opened, escalation())
        for step in scenario.heard():
            at = step.heard
            match step.kind:
                case "hold":
                    if begun is not None and not step.pauses:
                        breaks.append((_minute(begun), _minute(at)))
                        begun = None
                    elif step.pauses:
                        begun = begun or at
                case "resolve":
                    solved, begun = at, begun or at
                case "resume" | "reopen":
                    if begun is not None:
                        breaks.append((_minute(begun), _minute(at)))
                    begun = solved = None
                case "priority":
                    target = step.target or target
                case "calendar":
                    hours = step.hours or hours
            paused = begun is not None and solved is None
            if solved is None or step.kind == "resolve":
                watch.store(at, None if paused and watch.shown(at) is None else escalation())
        due = None if begun is not None and solved is None else escalation()
        end = begun or scenario.now
        return Answer(due, elapsed(end), watch.shown(solved or scenario.now))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
