"""The application of a revision to the clocks that run: asked for as often as somebody wants. Pure."""

from collections.abc import Sequence

from opsledger_events import Event
from opsledger_events.contexts.sla import AgreementApplied, CalendarApplied
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import RuleViolated
from sla.domain.commands import ApplyAgreement, ApplyCalendar

Apply = ApplyCalendar | ApplyAgreement


def apply_revision(command: Apply, state: None) -> Sequence[Event]:
    """Only the last revision can be applied: an earlier one would undo what somebody corrected."""
    what = "calendar" if isinstance(command, ApplyCalendar) else "agreement"
    if command.revision != command.latest:
        raise RuleViolated(
            f"Revision {command.revision} is not the {what}'s last one. Look at revision {command.latest} and apply"
            " that.",
            rule="revision_not_latest",
        )
    if isinstance(command, ApplyCalendar):
        return [CalendarApplied(calendar=command.calendar, revision=command.revision)]
    return [AgreementApplied(agreement=command.agreement, revision=command.revision)]


APPLICATION: Decider[Apply, None] = Decider(apply_revision, lambda state, event: state, None)
