"""What a clock remembers: its terms by name, its facts, and what has been announced. Everything else is computed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from opsledger_events import Event
from opsledger_events.contexts.sla import (
    AgreementKind,
    ClockEvent,
    DayTarget,
    ReopenPolicy,
    RetargetPolicy,
    SLABreached,
    SLABreachWithdrawn,
    SLAClockCancelled,
    SLAClockContinued,
    SLAClockPaused,
    SLAClockRescheduled,
    SLAClockResumed,
    SLAClockRetargeted,
    SLAClockStarted,
    SLAClockTermsChanged,
    SLAMet,
    SLAMissed,
    SLAWarningReached,
)
from sla.domain.calendar import Calendar
from sla.domain.clock import Fact, FactKind, Mark, Reading, Terms, agreed_after, marks
from sla.domain.targets import Target, by_day

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Announced:
    """A warning (`percent`) or a breach (None) that was announced for a target, and when it was reached."""

    percent: int | None
    target: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ClockState:
    """`withdrawals` counts breaches taken back, so that the same breach may be announced again."""

    started: bool = False
    metric: str = ""
    kind: AgreementKind = "sla"
    party: str | None = None
    incident: str = ""
    agreement: str = ""
    agreement_revision: int = 0
    calendar: str = ""
    calendar_revision: int = 0
    pausing_reasons: tuple[str, ...] = ()
    warning_percent: tuple[int, ...] = ()
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"
    facts: tuple[Fact, ...] = ()
    announced: tuple[Announced, ...] = ()
    withdrawals: int = 0
    without_target: bool = False
    cancelled: bool = False

    def terms(self, calendar: Calendar) -> Terms:
        """What the clock is computed with, given the calendar that it names."""
        return _terms_of(calendar, self.pausing_reasons, self.warning_percent, self.retarget, self.reopen)

    def _revised_at(self) -> datetime | None:
        """When other terms last took the place of those before; None: never."""
        return max((fact.at for fact in self.facts if fact.kind == "rescheduled"), default=None)

    @property
    def latest(self) -> datetime:
        """The latest instant that a fact or a standing announcement speaks of."""
        return max([one.at for told in (self.facts, self.announced) for one in told], default=BEGINNING)

    @property
    def agreed(self) -> Target | None:
        """What is agreed after all facts."""
        return agreed_after(self.facts, frozenset(self.pausing_reasons))

    def breached_at(self, reading: Reading) -> datetime | None:
        """When the present target was breached: as announced, where it lost its target since and got the same again."""
        if reading.breached_at is None:
            return None
        told = [one.at for one in self.announced if one.percent is None and one.target == reading.target]
        return min([reading.breached_at, *told])

    def announced_keys(self) -> frozenset[tuple[int | None, int]]:
        """Keys of marks that need no announcement any more; a breach silences the warnings of its target."""
        found = {(one.percent, one.target) for one in self.announced}
        found |= {
            (percent, one.target) for one in self.announced if one.percent is None for percent in self.warning_percent
        }
        return frozenset(found)

    def pending(self, calendar: Calendar) -> tuple[Mark, ...]:
        """Warnings and breaches still to be announced, those to come included, in order.

        What was announced for the same instant is not announced again: other terms may count to it from elsewhere.
        """
        found = marks(self.facts, self.terms(calendar))
        revised_at = self._revised_at()
        if not self.announced:
            return _told_at_once(found, revised_at)
        silent, told = self.announced_keys(), {(one.percent, one.at) for one in self.announced}
        breached = {mark.target for mark in found if mark.percent is None and (None, mark.at) in told}
        found = _told_at_once(tuple(mark for mark in found if mark.target not in breached), revised_at)
        return tuple(mark for mark in found if mark.key not in silent and (mark.percent, mark.at) not in told)


@lru_cache(maxsize=256)
def _terms_of(
    calendar: Calendar,
    pausing: tuple[str, ...],
    warning_percent: tuple[int, ...],
    retarget: RetargetPolicy,
    reopen: ReopenPolicy,
) -> Terms:
    """One object for the many clocks of an agreement."""
    return Terms(calendar, frozenset(pausing), warning_percent, retarget, reopen)


def _told_at_once(found: tuple[Mark, ...], revised_at: datetime | None) -> tuple[Mark, ...]:
    """Of what other terms make true at once only the last is announced: a breach outranks the warnings before it."""
    if revised_at is None:
        return found
    passed = [mark for mark in found if mark.at <= revised_at]
    return (*passed[-1:], *(mark for mark in found if mark.at > revised_at))


initial_state = ClockState()

_KINDS: dict[type[Event], FactKind] = {
    SLAClockPaused: "held",
    SLAClockResumed: "resumed",
    SLAClockRetargeted: "targeted",
    SLAMet: "stopped",
    SLAMissed: "stopped",
    SLAClockContinued: "continued",
    SLAClockCancelled: "cancelled",
    SLAClockRescheduled: "rescheduled",
}


def evolve(state: ClockState, event: Event) -> ClockState:
    """The state after an event; events of other aggregates change nothing."""
    change = _CHANGES.get(type(event))
    return state if change is None else change(state, event)


def _fact(state: ClockState, event: Any) -> ClockState:
    target: Target | None = None
    if type(event) is SLAClockRetargeted:
        agreed = event.target_seconds if event.agreed_seconds is None else event.agreed_seconds
        target = _target(agreed, event.agreed_by)
    kind = _KINDS[type(event)]
    reason = event.reason if kind == "held" else None
    fact = Fact(kind, _at(state, event), event.cause or "", len(state.facts), reason, target)
    revision = event.calendar_revision if kind == "rescheduled" else state.calendar_revision
    cancelled = kind == "cancelled"
    return replace(
        state,
        facts=(*state.facts, fact),
        calendar_revision=revision,
        cancelled=cancelled,
        without_target=cancelled and event.reason == "no_target",
    )


def _at(state: ClockState, event: ClockEvent) -> datetime:
    return event.at or state.latest


def _target(seconds: int | None, by: DayTarget | None) -> Target | None:
    return seconds if by is None else by_day(by)


def _announced(state: ClockState, event: SLAWarningReached | SLABreached) -> ClockState:
    percent = event.percent if type(event) is SLAWarningReached else None
    new = Announced(percent, event.target_seconds or 0, _at(state, event))
    return replace(state, announced=(*state.announced, new))


def _withdrawn(state: ClockState, event: SLABreachWithdrawn) -> ClockState:
    kept = tuple(one for one in state.announced if one.percent is not None or one.target != event.target_seconds)
    return replace(state, announced=kept, withdrawals=state.withdrawals + 1)


def _started(state: ClockState, event: SLAClockStarted) -> ClockState:
    """A fresh start keeps only what was announced before."""
    at, cause = event.at or event.started_at, event.cause or ""
    target = _target(event.target_seconds, event.target_by)
    if not event.earlier and at == event.started_at:
        facts: Iterable[Fact] = [Fact("opened", at, cause, 0, None, target)]
    else:
        earlier = [
            Fact(item["kind"], datetime.fromisoformat(item["at"]), item["event"], n + 1, item.get("reason"))
            for n, item in enumerate(event.earlier)
        ]
        opened = Fact("opened", event.started_at, cause, 0)
        facts = [opened, *earlier, Fact("targeted", at, cause, len(earlier) + 1, None, target)]
    return ClockState(
        started=True,
        metric=event.metric,
        kind=event.kind,
        party=event.party,
        incident=event.incident,
        facts=tuple(facts),
        announced=state.announced,
        withdrawals=state.withdrawals,
        **_terms(event),
    )


def _on_other_terms(state: ClockState, event: SLAClockTermsChanged) -> ClockState:
    """What happened, told by the other terms; what is told of before them from now on comes late."""
    facts = [
        Fact(
            item["kind"],
            datetime.fromisoformat(item["at"]),
            item["event"],
            n,
            item.get("reason"),
            _target(item.get("target"), DayTarget.model_validate(item["by"]) if "by" in item else None),
        )
        for n, item in enumerate(event.facts)
    ]
    facts.append(Fact("rescheduled", _at(state, event), event.cause or "", len(facts)))
    return replace(state, facts=tuple(facts), **_terms(event))


def _terms(event: SLAClockStarted | SLAClockTermsChanged) -> dict[str, Any]:
    return {
        "agreement": event.agreement,
        "agreement_revision": event.agreement_revision,
        "calendar": event.calendar,
        "calendar_revision": event.calendar_revision,
        "pausing_reasons": tuple(event.pausing_reasons),
        "warning_percent": tuple(event.warning_percent),
        "retarget": event.retarget,
        "reopen": event.reopen,
    }


_CHANGES: Final[dict[type[Event], Callable[[ClockState, Any], ClockState]]] = {
    **dict.fromkeys(_KINDS, _fact),
    SLAClockStarted: _started,
    SLAClockTermsChanged: _on_other_terms,
    SLAWarningReached: _announced,
    SLABreached: _announced,
    SLABreachWithdrawn: _withdrawn,
}
"""By the event's own class: to ask a pydantic class whether it is one costs as much as the change itself."""
