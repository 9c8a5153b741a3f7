"""What a clock can be told. Each command says when it happened and because of which event; time is never read here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsledger_events.contexts.sla import AgreementKind, Metric, ReopenPolicy, RetargetPolicy
from sla.domain.calendar import Calendar
from sla.domain.clock import Fact
from sla.domain.targets import Target


@dataclass(frozen=True, slots=True)
class Subject:
    """The incident as it was at the command's instant; its fields go into every event of the clock."""

    incident: str
    number: str
    title: str
    priority: int
    organisation: str | None = None
    service: str | None = None
    team: str | None = None
    assignee: str | None = None
    requester: str | None = None

    def fields(self) -> dict[str, Any]:
        """By name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCommand:
    """`at`: when it happened; `cause`: the id of the event that told it; `calendar`: the revision the clock names."""

    subject: Subject
    calendar: Calendar
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a clock is computed with, by name and by value."""

    agreement: str
    agreement_revision: int
    calendar: str
    calendar_revision: int
    time_zone_database: str
    warning_percent: tuple[int, ...]
    pausing_reasons: tuple[str, ...]
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"
    chosen_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartClock(ClockCommand):
    """Count from `started_at`. `earlier`: what happened before `at`, where the first target came after the opening.

    `party`: the team that an `ola` or `uc` clock measures.
    """

    metric: Metric
    agreed: Agreed
    target: Target
    started_at: datetime
    kind: AgreementKind = "sla"
    party: str | None = None
    earlier: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseClock(ClockCommand):
    """Work waits for `reason`; it pauses the clock only where the agreement says so."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeClock(ClockCommand):
    """The wait is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetargetClock(ClockCommand):
    """Another target applies; None: none is agreed for the new priority, and the clock counts nowhere."""

    target: Target | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopClock(ClockCommand):
    """The thing promised is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueClock(ClockCommand):
    """It was not done after all. `target`: that of the priority then; None: none is agreed for it."""

    target: Target | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelClock(ClockCommand):
    """There was nothing to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescheduleClock(ClockCommand):
    """`calendar` is a later revision of the clock's own; `previous` is the one that it names."""

    previous: Calendar
    calendar_revision: int
    time_zone_database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTerms(ClockCommand):
    """Other terms apply, as if from the start: `facts` is what they make of what happened. `calendar` is theirs.

    `previous` is the calendar that the clock names.
    """

    previous: Calendar
    agreed: Agreed
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceWarning(ClockCommand):
    """By `at` the share `percent` of the target may have elapsed."""

    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceBreach(ClockCommand):
    """By `at` the target may have passed."""

    provisional: bool = False


FactCommand = PauseClock | ResumeClock | RetargetClock | StopClock | ContinueClock | CancelClock


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitLateReport(ClockCommand):
    """`report` happened before something already announced: say what it changes, before it is recorded itself."""

    report: FactCommand


Command = StartClock | FactCommand | AnnounceWarning | AnnounceBreach | AdmitLateReport | RescheduleClock | ChangeTerms


@dataclass(frozen=True, slots=True)
class DefineCalendar:
    """Define or replace a calendar; `definition` is its JSON form, with its days resolved and what was asked for.

    Where `at` is given, a calendar that does not open within a year of it is refused.
    """

    name: str
    definition: dict[str, Any]
    default: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DefineAgreement:
    """Define or replace an agreement. The caller has looked up `calendar`, the calendar that it names."""

    name: str
    calendar_id: str
    calendar: Calendar
    targets: tuple[dict[str, Any], ...]
    pausing_reasons: tuple[str, ...]
    warning_percent: tuple[int, ...]
    at: datetime
    organisation: str | None = None
    service: str | None = None
    kind: AgreementKind = "sla"
    team: str | None = None
    category: str | None = None
    criticality: str | None = None
    priorities: tuple[int, ...] = ()
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"


@dataclass(frozen=True, slots=True)
class ApplyCalendar:
    """Compute the running clocks of a calendar with its revision `revision`, of which `latest` is the last."""

    calendar: str
    revision: int
    latest: int


@dataclass(frozen=True, slots=True)
class ApplyAgreement:
    """Judge the running clocks of an agreement by its revision `revision`, of which `latest` is the last."""

    agreement: str
    revision: int
    latest: int
