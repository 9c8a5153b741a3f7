"""bk-itsm: a cost time settled at each stop; a change of priority starts over without settling."""

from datetime import datetime

from tests.differential.hours import ZERO
from tests.differential.scenario import Answer, Explains, Scenario, Watch


class BkItsm:
    """Deadline = last settlement + (target - cost time); after a change of priority the full new target."""

    name = "bk-itsm"
    based_on = (
        "`SlaTask` {cost_time, last_settlement_time, deadline}. `refresh()` on a change of priority moves"
        " `last_settlement_time` without settling: the running time since is dropped and the full new target granted."
        " Start, pause, resume and stop are logged in `SlaEventLog`. Actions fire by the minute, which is not modelled."
    )
    explains: Explains = "partly"

    def answer(self, scenario: Scenario) -> Answer:
        hours, target, cost, watch = scenario.hours, scenario.target, ZERO, Watch()
        settled: datetime | None = scenario.opened
        due: datetime | None = hours.add(scenario.opened, target)
        stopped: datetime | None = None
        exceeded: datetime | None = None
        watch.store(scenario.opened, due)
        for step in scenario.heard():
            at = step.heard
            exceeded = exceeded or watch.shown(at)
            match step.kind:
                case "hold" | "resolve" if settled is not None and step.pauses:
                    cost += hours.elapsed(settled, at)
                    settled = None
                    stopped = at if step.kind == "resolve" else None
                    due = None if stopped is None and exceeded is None else due
                case "resume" | "reopen" if settled is None:
                    settled, stopped = at, None
                    due = due if exceeded is not None else hours.add(at, target - cost)
                case "priority":
                    target, exceeded = step.target or target, None
                    if settled is not None:
                        settled, due = at, hours.add(at, target)
                case "calendar":
                    hours = step.hours or hours
            watch.store(at, due if settled is not None or exceeded is not None else None)
            exceeded = exceeded or (watch.shown(at) if step.kind != "priority" else None)
        if settled is not None:
            cost += hours.elapsed(settled, scenario.now)
        end = stopped or scenario.now
        return Answer(due, cost, exceeded or watch.shown(end))
