"""Which command is allowed in which state, and what happens then: one function per command.

Every refusal names its rule and says what to do instead. A command whose effect already stands gives no event.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, assert_never, cast

from incident.domain.commands import (
    AssignIncident,
    CancelIncident,
    CloseIncident,
    Command,
    ContactRequester,
    GroupIncident,
    HoldIncident,
    NoteIncident,
    OpenIncident,
    PrioritiseIncident,
    ProvideWorkaround,
    RecordAlertState,
    RecordStep,
    ReopenIncident,
    ResolveIncident,
    ResumeIncident,
    StartIncident,
)
from incident.domain.matrix import priority_of
from incident.domain.state import OPEN, Incident, IncidentEvent, State, evolve
from opsledger_events import Event
from opsledger_events.contexts.incident import (
    IncidentAlertStateChanged,
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentGrouped,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentRequesterContacted,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
    IncidentWorkaroundProvided,
)
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid, NotFound, RuleViolated

Events = Sequence[IncidentEvent]


def decide(command: Command, incident: Incident) -> Events:
    """The events that the command causes.

    Raises:
        NotFound: nothing was opened yet.
        RuleViolated: the state forbids it.
        Invalid: impact or urgency out of range, or a promise or a booking that is not for later.
    """
    if isinstance(command, OpenIncident):
        return open_incident(command, incident)
    if isinstance(command, RecordStep):
        return record_step(command, incident)
    if incident.state is State.UNKNOWN:
        raise NotFound("There is no such incident.")
    match command:
        case AssignIncident():
            return assign_incident(command, incident)
        case StartIncident():
            return start_incident(command, incident)
        case HoldIncident():
            return hold_incident(command, incident)
        case ResumeIncident():
            return resume_incident(incident)
        case PrioritiseIncident():
            return prioritise_incident(command, incident)
        case NoteIncident():
            return note_incident(command, incident)
        case ContactRequester():
            return contact_requester(command, incident)
        case ProvideWorkaround():
            return provide_workaround(command, incident)
        case ResolveIncident():
            return resolve_incident(command, incident)
        case ReopenIncident():
            return reopen_incident(command, incident)
        case CloseIncident():
            return close_incident(incident)
        case CancelIncident():
            return cancel_incident(command, incident)
        case RecordAlertState():
            return record_alert_state(command, incident)
        case GroupIncident():
            return group_incident(command, incident)
        case _:
            assert_never(command)


def open_incident(command: OpenIncident, incident: Incident) -> Events:
    """Opened, assigned at once where a team is named or its item has an owner (R67), and grouped under its cause."""
    if incident.state is not State.UNKNOWN:
        raise RuleViolated(f"{incident.number} is open already. Open another incident.", rule="opened_once")
    alert, group = command.alert, command.group
    opened = IncidentOpened(
        number=command.number,
        title=command.title,
        description=command.description,
        impact=command.impact,
        urgency=command.urgency,
        priority=priority_of(command.impact, command.urgency),
        category=command.category,
        service=command.service,
        configuration_item=command.configuration_item,
        criticality=command.criticality,
        organisation=command.organisation,
        requester=command.requester,
        channel=command.channel,
        team=command.team,
        alert_fingerprint=alert.fingerprint if alert else None,
        alert_source=alert.source if alert else None,
        alert_started_at=alert.started_at if alert else None,
        parent=group.parent if group else None,
    )
    events: list[IncidentEvent] = [opened]
    if command.team is not None:
        events.append(IncidentAssigned(team=command.team, parent=opened.parent))
    elif command.owner is not None:
        owner = command.owner
        events.append(IncidentAssigned(team=owner.team, owner_of=owner.item, parent=opened.parent))
    if group is not None:
        events.append(_grouped(group))
    return events


def assign_incident(command: AssignIncident, incident: Incident) -> Events:
    """Reassigning keeps work in progress in progress and held work on hold."""
    _still_open(incident)
    if (command.team, command.assignee) == (incident.team, incident.assignee):
        return []
    return [
        IncidentAssigned(
            team=command.team,
            assignee=command.assignee,
            previous_team=incident.team,
            previous_assignee=incident.assignee,
        )
    ]


def start_incident(command: StartIncident, incident: Incident) -> Events:
    """From assigned only: work without a team would have nobody to answer for it."""
    _still_open(incident)
    if incident.state is State.NEW:
        raise RuleViolated("Nobody is responsible yet. Assign it to a team, then start.", rule="work_needs_a_team")
    if incident.state is State.ON_HOLD:
        raise RuleViolated("It is on hold. Resume it instead.", rule="held_work_is_resumed")
    if incident.state is State.IN_PROGRESS:
        return []
    return [IncidentStarted(assignee=command.assignee or incident.assignee)]


def hold_incident(command: HoldIncident, incident: Incident) -> Events:
    """One reason and one promise at a time, so that every pause has one beginning, one end and one of each (R13)."""
    _still_open(incident)
    if incident.state is State.ON_HOLD:
        asked = (command.note, command.promised_at, command.promised)
        stands = (incident.hold_note, incident.promised_at, incident.promised)
        same = all(new in (None, old) for new, old in zip(asked, stands, strict=True))
        if command.reason == incident.hold_reason and same:
            return []
        raise RuleViolated(
            f"It is on hold already ({incident.hold_reason}). Resume it, then hold it for the new reason or promise.",
            rule="held_for_one_reason_at_a_time",
        )
    if incident.state is not State.IN_PROGRESS:
        raise RuleViolated(
            "Only work in progress can wait. Start it, then hold it.", rule="only_work_in_progress_is_held"
        )
    if command.promised is not None and command.promised_at is None:
        raise RuleViolated(
            "A promise needs its date. Give `promised_at`: when the requester was told that work goes on.",
            rule="R13",
        )
    _for_later(command.promised_at, command.at, "promised_at", "What was promised must be for later.")
    return [
        IncidentHeld(
            reason=command.reason, note=command.note, promised_at=command.promised_at, promised=command.promised
        )
    ]


def resume_incident(incident: Incident) -> Events:
    """Back to in progress."""
    _still_open(incident)
    if incident.state is State.IN_PROGRESS:
        return []
    if incident.state is not State.ON_HOLD:
        raise RuleViolated("It is not on hold. Start it instead.", rule="only_held_work_is_resumed")
    return [IncidentResumed()]


def prioritise_incident(command: PrioritiseIncident, incident: Incident) -> Events:
    """Another impact or urgency is a fact even where the priority comes out the same."""
    priority = priority_of(command.impact, command.urgency)
    _still_open(incident)
    if (command.impact, command.urgency) == (incident.impact, incident.urgency):
        return []
    return [
        IncidentPrioritised(
            impact=command.impact,
            urgency=command.urgency,
            priority=priority,
            previous_priority=incident.priority,
        )
    ]


def note_incident(command: NoteIncident, incident: Incident) -> Events:
    """Until it is final, also on a resolved one: the requester may still answer."""
    _not_final(incident)
    return [IncidentNoted(text=command.text, public=command.public)]


def contact_requester(command: ContactRequester, incident: Incident) -> Events:
    """While a team is at work on it; every contact is a fact of its own (R2)."""
    _still_open(incident)
    if incident.team is None:
        raise RuleViolated(
            "Nobody is responsible yet. Assign it to a team, then contact the requester.", rule="contact_needs_a_team"
        )
    _for_later(command.booked_at, command.at, "booked_at", "What was booked must be for later.")
    return [IncidentRequesterContacted(channel=command.channel, note=command.note, booked_at=command.booked_at)]


def provide_workaround(command: ProvideWorkaround, incident: Incident) -> Events:
    """In any open state; another text is another workaround."""
    _still_open(incident)
    if not command.workaround.strip():
        raise RuleViolated("Say in words how service can be used.", rule="workaround_is_stated")
    if command.workaround == incident.workaround:
        return []
    return [IncidentWorkaroundProvided(workaround=command.workaround)]


def resolve_incident(command: ResolveIncident, incident: Incident) -> Events:
    """From any open state; also from new, since what a desk restores on first contact never needs a team."""
    _not_final(incident)
    if incident.state is State.RESOLVED:
        if (command.responsibility, command.resolution) == (incident.responsibility, incident.resolution):
            return []
        raise RuleViolated("It is resolved already. Reopen it to resolve it differently.", rule="resolved_once")
    if command.responsibility is None:
        raise RuleViolated(
            "State who was responsible for the fault: provider, third_party or customer.",
            rule="R16",
        )
    if not command.resolution.strip():
        raise RuleViolated("Say in words how service was restored.", rule="resolution_is_stated")
    return [IncidentResolved(responsibility=command.responsibility, resolution=command.resolution)]


def reopen_incident(command: ReopenIncident, incident: Incident) -> Events:
    """From resolved only. Closed is final, because reports and agreed figures count on it."""
    _not_final(incident)
    if incident.state is not State.RESOLVED:
        raise RuleViolated("It is still open. Go on working on it.", rule="only_resolved_is_reopened")
    return [IncidentReopened(reason=command.reason)]


def close_incident(incident: Incident) -> Events:
    """Only a resolved one, which therefore has its responsibility code (R16)."""
    if incident.state is State.CLOSED:
        return []
    _not_final(incident)
    if incident.state is not State.RESOLVED:
        raise RuleViolated("Only a resolved incident can be closed. Resolve it first.", rule="only_resolved_is_closed")
    return [IncidentClosed()]


def cancel_incident(command: CancelIncident, incident: Incident) -> Events:
    """Until it is resolved; repeating the same cancellation is nothing new."""
    if incident.state is State.CANCELLED and command.reason == incident.cancel_reason:
        return []
    _not_final(incident)
    if incident.state is State.RESOLVED:
        raise RuleViolated(
            "It was resolved, so it was an incident. Close it instead.", rule="resolved_is_not_cancelled"
        )
    return [IncidentCancelled(reason=command.reason)]


def record_alert_state(command: RecordAlertState, incident: Incident) -> Events:
    """News of the alert; an incident that is over takes none that would need somebody to watch it.

    A final one takes none at all, a resolved one none of a new firing: that opens another incident.
    """
    if command.fingerprint != incident.alert_fingerprint:
        raise RuleViolated("The alert belongs to another incident.", rule="alert_of_this_incident")
    if incident.state in (State.CLOSED, State.CANCELLED) or command.state == incident.alert_state:
        return []
    if incident.state is State.RESOLVED and command.state == "firing":
        return []
    return [
        IncidentAlertStateChanged(
            fingerprint=command.fingerprint,
            state=command.state,
            occurred_at=command.occurred_at,
        )
    ]


def record_step(command: RecordStep, incident: Incident) -> Events:
    """Recorded and not judged: no state forbids it. Only what is open already is not opened again."""
    known = incident.state is not State.UNKNOWN
    events = [event for event in command.events if not (known and isinstance(event, IncidentOpened))]
    if not known and not (events and isinstance(events[0], IncidentOpened)):
        raise NotFound("There is no such incident.")
    return cast(Events, events)


def group_incident(command: GroupIncident, incident: Incident) -> Events:
    """Once, and while there is something to restore: what is over needs no cause to wait for."""
    if incident.state not in OPEN or incident.parent is not None:
        return []
    return [_grouped(command)]


def _grouped(command: GroupIncident) -> IncidentGrouped:
    return IncidentGrouped(parent=command.parent, parent_number=command.parent_number, path=list(command.path))


def _not_final(incident: Incident) -> None:
    if incident.state is State.CLOSED:
        raise RuleViolated(
            f"{incident.number} is closed, and closed is final. Open a new incident that names it.",
            rule="closed_is_final",
        )
    if incident.state is State.CANCELLED:
        raise RuleViolated(
            f"{incident.number} was cancelled, and that is final. Open a new incident.",
            rule="cancelled_is_final",
        )


def _still_open(incident: Incident) -> None:
    _not_final(incident)
    if incident.state is State.RESOLVED:
        raise RuleViolated("It is resolved. Reopen it first.", rule="resolved_is_reopened_first")


def _for_later(instant: datetime | None, at: datetime | None, name: str, refusal: str) -> None:
    if instant is not None and (at is None or instant <= at):
        after = "now" if at is None else at.isoformat(timespec="seconds")
        raise Invalid(refusal, [FieldError(f"/{name}", f"Give an instant after {after}.")], code=f"{name}_is_past")


DECIDER: Final[Decider[Command, Incident]] = Decider(
    decide=decide,
    evolve=cast(Callable[[Incident, Event], Incident], evolve),
    initial_state=Incident(),
)
