"""One promise: which command leads to which events.

Refuses what a person should know: a due instant that has passed, a change of what is settled, another instant for what
is broken. What an incident's event tells and what changes nothing is passed over in silence.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from opsledger_events import Event
from opsledger_events.contexts.sla import (
    PromiseBreachWithdrawn,
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseMoved,
    PromisePassedOn,
    PromiseReminderReached,
    PromiseWithdrawn,
)
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid, RuleViolated
from sla.domain.promise import Fact, Reading, read
from sla.domain.promise_commands import (
    AnnounceBreak,
    AnnounceReminder,
    Command,
    KeepPromise,
    MakePromise,
    MovePromise,
    PassOnPromise,
    PromiseCommand,
    WithdrawPromise,
)
from sla.domain.promise_state import PromiseState, evolve, initial_state

LONGEST: Final = timedelta(days=10 * 366)
"""No promise is due later than this after it was made."""


def decide(command: Command, state: PromiseState) -> Sequence[Event]:
    """Events of one command; nothing where no promise was made."""
    if isinstance(command, MakePromise):
        return make_promise(command, state)
    if not state.made:
        return []
    if isinstance(command, MovePromise | PassOnPromise):
        # Two machines' clocks differ a little; what somebody says now comes after what was said before.
        command = replace(command, at=max(command.at, state.latest or command.at))
    match command:
        case MovePromise():
            return move_promise(command, state)
        case PassOnPromise():
            return pass_on_promise(command, state)
        case KeepPromise() | WithdrawPromise():
            return settle_promise(command, state)
        case AnnounceReminder() | AnnounceBreak():
            return announce(command, state)
        case _:
            assert_never(command)


def make_promise(command: MakePromise, state: PromiseState) -> Sequence[Event]:
    """A promise is made once."""
    if state.made:
        raise RuleViolated("The promise was made before.", rule="promise_made_once")
    _check_due(command.due, command.at)
    _check_reminder(command.remind, command.at, command.due)
    return [
        PromiseMade(
            **command.about(),
            owner=command.owner,
            text=command.text,
            due_at=command.due,
            remind_at=command.remind,
            source=command.source,
            awaits=command.awaits,
            reason=command.reason,
            promised_by=command.promised_by,
            at=command.at,
            cause=command.cause,
            due_by_default=command.due_by_default,
            calendar=command.calendar,
            calendar_revision=command.calendar_revision,
        )
    ]


def move_promise(command: MovePromise, state: PromiseState) -> Sequence[Event]:
    """Another due instant, as long as it is neither settled nor broken."""
    before = _open(command, state)
    if before.broken_at is not None:
        raise RuleViolated(
            "The promise is broken, and stays so in the count. Keep it late, or make a new one.", rule="promise_broken"
        )
    _check_due(command.due, command.at)
    _check_reminder(command.remind, command.at, command.due)
    if command.due == before.due:
        return []
    fact = Fact("moved", command.at, command.due, command.remind)
    about = _about(command, state, _after(state, fact).outlook())
    return [PromiseMoved(**about, previous_due_at=before.due, explanation=command.explanation)]


def pass_on_promise(command: PassOnPromise, state: PromiseState) -> Sequence[Event]:
    """Another owner; a broken promise has one as well."""
    before = _open(command, state)
    if command.owner == before.owner:
        return []
    fact = Fact("passed_on", command.at, owner=command.owner)
    return [PromisePassedOn(**_about(command, state, _after(state, fact).outlook()), previous_owner=before.owner)]


def settle_promise(command: KeepPromise | WithdrawPromise, state: PromiseState) -> Sequence[Event]:
    """Kept or given up; where a breach was announced that this shows false, that is withdrawn first."""
    before = state.outlook()
    if command.at < before.made_at:
        if command.cause is not None:
            return []
        raise Invalid(
            "It was promised later than that.",
            [FieldError("/occurred_at", f"Not before {before.made_at.isoformat(timespec='seconds')}.")],
            code="before_promise",
        )
    kept = isinstance(command, KeepPromise)
    wanted = "kept" if kept else "withdrawn"
    after_state = _after(state, Fact("kept" if kept else "withdrawn", command.at))
    after = after_state.outlook()
    if after.settled_at is None or (after.state, after.settled_at) == (before.state, before.settled_at):
        if command.cause is None and before.state != wanted:
            raise _settled(before)
        return []
    about, broken = _about(command, state, after), after.broken_at is not None
    events: list[Event] = []
    if state.broken_told is not None and not broken:
        events.append(PromiseBreachWithdrawn(**about))
    if isinstance(command, KeepPromise):
        return [*events, PromiseKept(**about, late_seconds=after.late_seconds, broken=broken)]
    return [*events, PromiseWithdrawn(**about, explanation=command.explanation, broken=broken)]


def announce(command: AnnounceReminder | AnnounceBreak, state: PromiseState) -> Sequence[Event]:
    """The reminder or the breach that is pending at the command's instant, if it is."""
    wanted = "reminder" if isinstance(command, AnnounceReminder) else "break"
    for mark in state.pending():
        if mark.kind == wanted and mark.at <= command.at:
            about = _about(replace(command, at=mark.at), state, state.outlook())
            if isinstance(command, AnnounceReminder):
                return [PromiseReminderReached(**about)]
            return [PromiseBroken(**about, provisional=command.provisional)]
    return []


def _open(command: PromiseCommand, state: PromiseState) -> Reading:
    before = read(state.facts, max(command.at, state.facts[0].at))
    if before is None or before.settled_at is not None:
        raise _settled(before or state.outlook())
    return before


def _settled(reading: Reading) -> RuleViolated:
    done = "kept" if reading.state == "kept" else "withdrawn"
    return RuleViolated(f"The promise was {done}, and nothing more is owed. Make a new one.", rule="promise_settled")


def _after(state: PromiseState, fact: Fact) -> PromiseState:
    return replace(state, facts=(*state.facts, fact))


def _check_due(due: datetime, at: datetime) -> None:
    if due <= at:
        problem = FieldError("/due_at", f"After {at.isoformat(timespec='seconds')}.")
        raise Invalid("What is promised is due later. Name an instant ahead.", [problem], code="promise_due_passed")
    if due - at > LONGEST:
        problem = FieldError("/due_at", "Within ten years.")
        raise Invalid("No promise reaches that far. Name an instant within ten years.", [problem], "promise_too_far")


def _check_reminder(remind: datetime | None, at: datetime, due: datetime) -> None:
    if remind is not None and not at <= remind < due:
        raise Invalid(
            "A reminder comes before the promise is due, and not before it was made.",
            [FieldError("/remind", "Fewer seconds, or a percentage.")],
            code="promise_reminder_out_of_place",
        )


def _about(command: PromiseCommand, state: PromiseState, reading: Reading) -> dict[str, Any]:
    return {
        **command.about(),
        "owner": reading.owner,
        "text": state.text,
        "due_at": reading.due,
        "remind_at": reading.remind_at,
        "source": state.source,
        "awaits": state.awaits,
        "reason": state.reason,
        "promised_by": state.promised_by,
        "at": command.at,
        "cause": command.cause,
    }


PROMISE: Decider[Command, PromiseState] = Decider(decide, evolve, initial_state)
