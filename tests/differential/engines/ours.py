"""Our clock, told by its own events as the service tells it: late reports are admitted, breaches announced."""

from datetime import timedelta

from tests.differential.hours import Hours
from tests.differential.scenario import Answer, Explains, Scenario, Step
from tests.support.clock_stories import ClockStory

from sla.domain.calendar import Calendar, Day, Span, always_open, weekly_hours, with_days
from sla.domain.calendar import Hours as OpenHours
from sla.explaining.lines import Account, account
from sla.explaining.story import story_of


class Ours:
    """Elapsed time and pauses belong to the clock, targets come and go, and time is when something happened."""

    name = "Opsledger"
    based_on = "`sla.domain.clock`; the trace is `GET /api/sla/v1/clocks/{id}/trace`."
    explains: Explains = "yes"

    def answer(self, scenario: Scenario) -> Answer:
        found = self.account(scenario)
        return Answer(found.reading.due, found.reading.elapsed, found.breached_at)

    def account(self, scenario: Scenario) -> Account:
        """The clock of a scenario, explained."""
        story = ClockStory(calendar_of(scenario.hours), scenario.opened, scenario.target)
        for step in scenario.heard():
            _tell(story, step)
        found = account(story_of(story.until(scenario.now).envelopes), story.calendar, scenario.now)
        assert found is not None
        return found


def calendar_of(hours: Hours) -> Calendar:
    """The calendar that the service would compute with."""
    if not hours.weekdays:
        return always_open(hours.zone)
    open_hours = Span(hours.opens * 60, hours.closes * 60)
    closed = [Day(day, "closed", (), "国庆节", "National Day") for day in hours.holidays]
    extra = [Day(day, "open", (open_hours,), "国庆节补班", "National Day make-up") for day in hours.make_up_days]
    week = weekly_hours(hours.zone, [OpenHours(day, *open_hours) for day in hours.weekdays])
    return with_days(week, tuple(sorted([*closed, *extra])))


def _tell(story: ClockStory, step: Step) -> None:
    """A clock keeps the revision of its calendar, so a change of that is nothing to it."""
    target = step.target or timedelta()
    match step.kind:
        case "hold":
            story.hold(step.at, step.reason, step.known)
        case "resume":
            story.resume(step.at, step.known)
        case "priority":
            story.prioritise(step.at, target, step.known)
        case "resolve":
            story.stop(step.at, step.known)
        case "reopen":
            story.go_on(step.at, None, step.known)
