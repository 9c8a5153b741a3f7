"""Calendars and agreements as aggregates: each definition is validated whole and gets the next revision.

Refuses what could never work, with a sentence that says what to change. Running clocks keep the revision they name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opsledger_events import Event
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_events.names import is_reason
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid, RuleViolated
from sla.domain.calendar import Calendar, add, calendar_from, elapsed
from sla.domain.commands import DefineAgreement, DefineCalendar

_METRICS = ("response_seconds", "resolution_seconds")
_ASKED = ("holidays", "exceptions", "make_up_weekday")
_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class DefinitionState:
    """The last definition of a calendar or an agreement; None before the first."""

    definition: CalendarDefined | AgreementDefined | None = None

    @property
    def revision(self) -> int:
        """0 before the first definition."""
        return 0 if self.definition is None else self.definition.revision


def define_calendar(command: DefineCalendar, state: DefinitionState) -> Sequence[Event]:
    """A new revision, unless nothing would change."""
    if isinstance(state.definition, AgreementDefined):
        raise RuleViolated("This id names an agreement. Choose another id.", rule="id_taken")
    calendar = calendar_from(command.definition)
    if command.at is not None and not opens_within_a_year(calendar, command.at):
        raise Invalid(
            "The calendar does not open within a year: its exceptions close every working day. Take some back.",
            [FieldError("/exceptions", "Leave a working day within the year open.")],
            code="never_opens",
        )
    defined = CalendarDefined(
        name=command.name,
        **calendar.definition(),
        **{name: command.definition[name] for name in _ASKED if command.definition.get(name) is not None},
        default=command.default or (state.definition is not None and state.definition.default),
        revision=state.revision + 1,
    )
    return _unless_same(defined, state)


def define_agreement(command: DefineAgreement, state: DefinitionState) -> Sequence[Event]:
    """A new revision, unless nothing would change. The agreement without organisation and service is the default."""
    if isinstance(state.definition, CalendarDefined):
        raise RuleViolated("This id names a calendar. Choose another id.", rule="id_taken")
    _check(command)
    defined = AgreementDefined(
        name=command.name,
        calendar=command.calendar_id,
        targets=sorted(command.targets, key=lambda target: int(target["priority"])),
        pausing_reasons=list(command.pausing_reasons),
        warning_percent=sorted(command.warning_percent),
        organisation=command.organisation,
        service=command.service,
        default=command.organisation is None and command.service is None,
        revision=state.revision + 1,
    )
    return _unless_same(defined, state)


def _check(command: DefineAgreement) -> None:
    wrong: list[FieldError] = []
    if not command.targets:
        wrong.append(FieldError("/targets", "Give a target for at least one priority."))
    priorities = [target["priority"] for target in command.targets]
    for n, target in enumerate(command.targets):
        at = f"/targets/{n}"
        if not 1 <= target["priority"] <= 5:
            wrong.append(FieldError(f"{at}/priority", "Priorities count from 1 (highest) to 5."))
        elif priorities.index(target["priority"]) != n:
            wrong.append(FieldError(f"{at}/priority", f"Priority {target['priority']} has a target already."))
        seconds = {metric: target[metric] for metric in _METRICS if target.get(metric) is not None}
        if not seconds:
            wrong.append(FieldError(at, "Give response_seconds or resolution_seconds."))
        wrong.extend(
            FieldError(f"{at}/{metric}", "A target is longer than 0 seconds.")
            for metric, value in seconds.items()
            if value <= 0
        )
        if all(value > 0 for value in seconds.values()):
            wrong.extend(_out_of_reach(command, at, seconds))
    for n, percent in enumerate(command.warning_percent):
        if not 1 <= percent <= 100:
            wrong.append(FieldError(f"/warning_percent/{n}", "A warning is at 1 to 100 percent of the target."))
        elif command.warning_percent.index(percent) != n:
            wrong.append(FieldError(f"/warning_percent/{n}", f"{percent} percent is there already."))
    for n, reason in enumerate(command.pausing_reasons):
        if not is_reason(reason):
            wrong.append(FieldError(f"/pausing_reasons/{n}", "A reason is written like awaiting_requester."))
        elif command.pausing_reasons.index(reason) != n:
            wrong.append(FieldError(f"/pausing_reasons/{n}", f"{reason} is there already."))
    if wrong:
        raise Invalid("The agreement cannot work as it is: " + " ".join(error.detail for error in wrong[:3]), wrong)


def _out_of_reach(command: DefineAgreement, pointer: str, seconds: dict[str, Any]) -> list[FieldError]:
    return [
        FieldError(f"{pointer}/{metric}", "The calendar never reaches it. Shorten it or open more hours.")
        for metric, value in seconds.items()
        if not reaches(command.calendar, command.at, value)
    ]


def reaches(calendar: Calendar, start: datetime, seconds: int) -> bool:
    """Whether so much working time passes within the horizon, and the first of it within a year."""
    if not opens_within_a_year(calendar, start):
        return False
    try:
        add(calendar, start, timedelta(seconds=seconds))
    except (Invalid, OverflowError):
        return False
    return True


def opens_within_a_year(calendar: Calendar, start: datetime) -> bool:
    """Whether any working time passes in the year after `start`."""
    return elapsed(calendar, start, start + _YEAR) > timedelta(0)


def _unless_same(defined: CalendarDefined | AgreementDefined, state: DefinitionState) -> Sequence[Event]:
    if state.definition is not None and defined.model_copy(update={"revision": state.revision}) == state.definition:
        return []
    return [defined]


def _decide(command: DefineCalendar | DefineAgreement, state: DefinitionState) -> Sequence[Event]:
    if isinstance(command, DefineCalendar):
        return define_calendar(command, state)
    return define_agreement(command, state)


def _evolve(state: DefinitionState, event: Event) -> DefinitionState:
    return DefinitionState(event) if isinstance(event, CalendarDefined | AgreementDefined) else state


DEFINITION: Decider[DefineCalendar | DefineAgreement, DefinitionState] = Decider(_decide, _evolve, DefinitionState())
