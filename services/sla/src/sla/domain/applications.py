"""The application of a calendar's revision to the clocks that run: asked for as often as somebody wants. Pure."""

from collections.abc import Sequence

from opsledger_events import Event
from opsledger_events.contexts.sla import CalendarApplied
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import RuleViolated
from sla.domain.commands import ApplyCalendar


def apply_calendar(command: ApplyCalendar, state: None) -> Sequence[Event]:
    """Only the last revision can be applied: an earlier one would undo what somebody corrected."""
    if command.revision != command.latest:
        raise RuleViolated(
            f"Revision {command.revision} is not the calendar's last one. Look at revision {command.latest} and apply"
            " that.",
            rule="revision_not_latest",
        )
    return [CalendarApplied(calendar=command.calendar, revision=command.revision)]


APPLICATION: Decider[ApplyCalendar, None] = Decider(apply_calendar, lambda state, event: state, None)
