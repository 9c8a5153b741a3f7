"""ServiceNow: a new row for another target, from then on or from the start; percentages rounded before they count."""

from datetime import datetime, timedelta

from tests.differential.hours import ZERO
from tests.differential.scenario import Answer, Explains, Scenario


class ServiceNow:
    """Breach time = start of the row + target + time paused; two settings of retroactive start and pause."""

    explains: Explains = "partly"

    def __init__(self, *, retroactive: bool = False) -> None:
        self.retroactive = retroactive
        self.name = "ServiceNow, retroactive" if retroactive else "ServiceNow"
        self.based_on = (
            "Another priority attaches another `task_sla` row"
            + (
                ", here with retroactive start and retroactive pause. "
                if retroactive
                else ", here without retroactive start: it counts from then on. "
            )
            + "Breach time = original + paused time. The elapsed percentage is rounded, 99.951 % to 100 %, unless a"
            " property is set. Schedules are not versioned (that a change of one reaches a running row is"
            " inferred). The timeline replays the history of one task."
        )

    def answer(self, scenario: Scenario) -> Answer:
        hours = scenario.hours
        steps = scenario.heard()
        spans = _running(scenario)
        target, row, attached = scenario.target, scenario.opened, scenario.opened
        for step in steps:
            if step.kind == "priority" and step.target is not None:
                target, attached = step.target, step.heard
                row = scenario.opened if self.retroactive else attached
            if step.kind == "calendar" and step.hours is not None:
                hours = step.hours
        elapsed, due = ZERO, None
        for start, end in spans:
            begin, stop = max(start, row), end or scenario.now
            if end is not None and stop <= row:
                continue
            due = due if due is not None and elapsed >= target else hours.add(begin, target - elapsed)
            elapsed += hours.elapsed(begin, stop)
        running = spans[-1][1] is None
        exceeded = due is not None and (elapsed > target or (running and due < scenario.now))
        done = steps and steps[-1].kind == "resolve"
        breached = max(due, attached) if exceeded and due is not None else None
        if done and breached is None and _rounded(elapsed, target) >= 100 and due is not None and elapsed < target:
            breached = steps[-1].heard
        paused = not running and not done
        return Answer(None if paused and breached is None else due, elapsed, breached)


def _rounded(elapsed: timedelta, target: timedelta) -> float:
    return round(elapsed / target * 100, 1)


def _running(scenario: Scenario) -> list[tuple[datetime, datetime | None]]:
    """The stretches in which the conditions let the row run; the last one may be open."""
    found: list[tuple[datetime, datetime | None]] = [(scenario.opened, None)]
    for step in scenario.heard():
        start, end = found[-1]
        if end is None and (step.kind == "resolve" or (step.kind == "hold" and step.pauses)):
            found[-1] = (start, step.heard)
        elif end is not None and (step.kind in ("resume", "reopen") or (step.kind == "hold" and not step.pauses)):
            found.append((step.heard, None))
    return found
