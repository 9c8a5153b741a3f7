"""Calendars and agreements as aggregates: each definition is validated whole and gets the next revision.

Refuses what could never work, with a sentence that says what to change. Running clocks keep the revision they name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from opsledger_events import Event
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid, RuleViolated
from sla.domain.agreements import check, opens_within_a_year
from sla.domain.calendar import calendar_from
from sla.domain.commands import DefineAgreement, DefineCalendar
from sla.domain.selection import stated

_ASKED = ("holidays", "exceptions", "make_up_weekday")


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
    """A new revision, unless nothing would change. The agreement with customers that is for all is the default."""
    if isinstance(state.definition, CalendarDefined):
        raise RuleViolated("This id names a calendar. Choose another id.", rule="id_taken")
    check(command)
    defined = AgreementDefined(
        name=command.name,
        calendar=command.calendar_id,
        targets=sorted(command.targets, key=lambda target: int(target["priority"])),
        pausing_reasons=list(command.pausing_reasons),
        warning_percent=sorted(command.warning_percent),
        organisation=command.organisation,
        service=command.service,
        default=command.kind == "sla" and not stated(command),
        revision=state.revision + 1,
        kind=command.kind,
        team=command.team,
        category=command.category,
        criticality=command.criticality,
        priorities=sorted(command.priorities),
        retarget=command.retarget,
        reopen=command.reopen,
    )
    return _unless_same(defined, state)


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
