"""Clocks told by their events without a store: what the decider says to each step, in envelopes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from opsledger_events import Envelope, Event
from opsledger_events.contexts.sla import ReopenPolicy, RetargetPolicy
from sla.domain.calendar import TZ_VERSION, Calendar, always_open
from sla.domain.commands import (
    AdmitLateReport,
    Agreed,
    AnnounceBreach,
    AnnounceWarning,
    CancelClock,
    ContinueClock,
    FactCommand,
    PauseClock,
    RescheduleClock,
    ResumeClock,
    RetargetClock,
    StartClock,
    StopClock,
    Subject,
)
from sla.domain.decider import CLOCK, is_late
from sla.domain.state import ClockState, evolve, initial_state
from sla.domain.targets import Target

T0 = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Monday 09:00 in Shanghai."""

WHO = Subject("incident-1", "INC0000001", "核心交换机端口告警", 1, "acme", "core", "network", "person-3", "person-17")
_SPACE = UUID("1d2a8a51-5d3e-5a0e-9d5e-0d1f3c1f7a10")


def _seconds(target: Target | timedelta | None) -> Any:
    return int(target.total_seconds()) if isinstance(target, timedelta) else target


@dataclass
class ClockStory:
    """A clock that is told things in the order in which they become known, as the handlers do it."""

    calendar: Calendar = field(default_factory=always_open)
    opened: datetime = T0
    target: Target | timedelta = timedelta(hours=4)
    warning_percent: tuple[int, ...] = (75,)
    pausing_reasons: tuple[str, ...] = ("awaiting_requester", "awaiting_third_party")
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"
    state: ClockState = initial_state
    envelopes: list[Envelope] = field(default_factory=list)

    def __post_init__(self) -> None:
        start = StartClock(
            **self._about(self.opened),
            metric="resolution",
            agreed=Agreed(
                "gold",
                1,
                "office",
                1,
                TZ_VERSION,
                self.warning_percent,
                self.pausing_reasons,
                self.retarget,
                self.reopen,
            ),
            target=_seconds(self.target),
            started_at=self.opened,
        )
        self._record(CLOCK.decide(start, self.state), self.opened)

    def hold(self, at: datetime, reason: str = "awaiting_requester", known: datetime | None = None) -> "ClockStory":
        return self._tell(PauseClock(**self._about(at), reason=reason), known)

    def resume(self, at: datetime, known: datetime | None = None) -> "ClockStory":
        return self._tell(ResumeClock(**self._about(at)), known)

    def prioritise(
        self, at: datetime, target: Target | timedelta | None, known: datetime | None = None
    ) -> "ClockStory":
        """Another priority, and so another target."""
        return self._tell(RetargetClock(**self._about(at), target=_seconds(target)), known)

    def stop(self, at: datetime, known: datetime | None = None) -> "ClockStory":
        return self._tell(StopClock(**self._about(at)), known)

    def go_on(self, at: datetime, target: timedelta | None = None, known: datetime | None = None) -> "ClockStory":
        agreed = self.state.agreed if target is None else _seconds(target)
        return self._tell(ContinueClock(**self._about(at), target=agreed), known)

    def cancel(self, at: datetime) -> "ClockStory":
        return self._tell(CancelClock(**self._about(at)), None)

    def reschedule(self, at: datetime, calendar: Calendar) -> "ClockStory":
        """From its beginning the clock is computed with another revision of its calendar."""
        self.until(at)
        command = RescheduleClock(
            **self._about(at) | {"calendar": calendar},
            previous=self.calendar,
            calendar_revision=self.state.calendar_revision + 1,
            time_zone_database=TZ_VERSION,
        )
        self._record(CLOCK.decide(command, self.state), at)
        self.calendar = calendar
        return self

    def until(self, at: datetime) -> "ClockStory":
        """Announce what is due by then."""
        for mark in self.state.pending(self.calendar):
            if mark.at <= at:
                about: dict[str, Any] = self._about(mark.at)
                command = (
                    AnnounceBreach(**about) if mark.percent is None else AnnounceWarning(**about, percent=mark.percent)
                )
                self._record(CLOCK.decide(command, self.state), mark.at)
        return self

    def _tell(self, command: FactCommand, known: datetime | None) -> "ClockStory":
        self.until(command.at - timedelta(microseconds=1) if known is None else known)
        if is_late(self.state, command.at):
            late = AdmitLateReport(
                subject=WHO, calendar=self.calendar, at=command.at, cause=command.cause, report=command
            )
            self._record(CLOCK.decide(late, self.state), known or command.at)
        self._record(CLOCK.decide(command, self.state), known or command.at)
        return self

    def _about(self, at: datetime) -> dict[str, Any]:
        cause = str(uuid5(_SPACE, f"{len(self.envelopes)} {at.isoformat()}"))
        return {"subject": WHO, "calendar": self.calendar, "at": at, "cause": cause}

    def _record(self, events: Sequence[Event], known: datetime) -> None:
        for event in events:
            version = len(self.envelopes) + 1
            self.state = evolve(self.state, event)
            self.envelopes.append(
                Envelope(
                    id=uuid5(_SPACE, f"event {version}"),
                    type=f"opsledger.{event.type_name}",
                    source="/opsledger/test/sla",
                    subject="clock-1",
                    time=getattr(event, "at", None) or known,
                    recordedtime=known,
                    aggregateversion=version,
                    partitionkey="incident-1",
                    correlationid="story",
                    actor="service:sla",
                    data=event.model_dump(mode="json", exclude_none=True),
                )
            )
