"""A delivery: one notice to one contact over one channel, requested once and settled once.

How it is being sent meanwhile (claims, attempts) is working state of `notify.dispatch`, not history.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, assert_never

from notify.domain.facts import Notice, Value
from opsledger_events import Event
from opsledger_events.contexts.notify import (
    NotificationDelivered,
    NotificationFailed,
    NotificationRequested,
    NotificationUnroutable,
)
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import NotFound

Channel = Literal["email"]

UNKNOWN_IS_SENT_AGAIN: Final[dict[str, bool]] = {"email": True}
"""Policy per channel for an attempt whose outcome nobody knows (D8). Mail carries a stable Message-ID: a second copy
is recognised and costs little, a missing one may cost an agreement."""


@dataclass(frozen=True, slots=True)
class PlanNotification:
    """Tell this contact. Values are frozen here, and so is the version of the wording."""

    notice: Notice
    rule: str
    contact: str
    team: str | None
    channel: Channel
    language: Literal["zh-CN", "en"]
    template: str
    wording_version: int


@dataclass(frozen=True, slots=True)
class RecordDelivered:
    """The provider took it over."""

    attempts: int
    message_id: str
    provider: str


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """Given up."""

    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordUnroutable:
    """Nobody can be told."""

    notice: Notice
    rule: str
    reason: str


Command = PlanNotification | RecordDelivered | RecordFailed | RecordUnroutable


@dataclass(frozen=True, slots=True)
class Delivery:
    """`details`: what every later event of the delivery repeats. `settled`: an outcome is recorded."""

    details: dict[str, Any] | None = None
    settled: bool = False


def decide(command: Command, state: Delivery) -> list[Event]:
    """The first request and the first outcome stand; repeats are no facts.

    Raises:
        NotFound: an outcome of something that was never requested.
    """
    match command:
        case PlanNotification():
            return [] if state.details is not None else [_requested(command)]
        case RecordUnroutable():
            return [] if state.settled else [_unroutable(command)]
        case RecordDelivered() | RecordFailed():
            if state.details is None:
                raise NotFound("There is no such delivery.")
            return [] if state.settled else [_outcome(command, state.details)]
    assert_never(command)


def _requested(command: PlanNotification) -> Event:
    subject = command.notice.subject
    values: dict[str, Value] = command.notice.values
    return NotificationRequested(
        about=subject.id,
        about_number=subject.number,
        cause=command.notice.cause,
        cause_type=command.notice.cause_type,
        rule=command.rule,
        contact=command.contact,
        team=command.team,
        channel=command.channel,
        language=command.language,
        template=command.template,
        wording_version=command.wording_version,
        values=dict(values),
    )


def _unroutable(command: RecordUnroutable) -> Event:
    return NotificationUnroutable(
        about=command.notice.subject.id,
        about_number=command.notice.subject.number,
        cause=command.notice.cause,
        cause_type=command.notice.cause_type,
        rule=command.rule,
        reason=command.reason,
    )


def _outcome(command: RecordDelivered | RecordFailed, details: dict[str, Any]) -> Event:
    match command:
        case RecordDelivered():
            return NotificationDelivered(
                **details, attempts=command.attempts, message_id=command.message_id, provider=command.provider
            )
        case RecordFailed():
            return NotificationFailed(**details, attempts=command.attempts, reason=command.reason)
    assert_never(command)


def evolve(state: Delivery, event: Event) -> Delivery:
    """Requested, then settled."""
    match event:
        case NotificationRequested():
            return Delivery(event.model_dump(exclude={"template", "wording_version", "values"}))
        case NotificationDelivered() | NotificationFailed() | NotificationUnroutable():
            return replace(state, settled=True)
        case _:
            return state


DELIVERY: Final[Decider[Command, Delivery]] = Decider(decide, evolve, Delivery())
