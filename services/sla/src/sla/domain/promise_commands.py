"""What a promise can be told. Each command says when it happened; time is never read here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsledger_events.contexts.sla import PromiseAwaits, PromiseSource


@dataclass(frozen=True, slots=True)
class PromiseSubject:
    """The incident that a promise is about, as it is known; `assignee` is who works on it."""

    incident: str
    number: str
    title: str
    organisation: str | None = None
    service: str | None = None
    requester: str | None = None
    team: str | None = None
    assignee: str | None = None

    def fields(self) -> dict[str, Any]:
        """What goes into every event of the promise, by name."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "assignee"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseCommand:
    """`at`: when it happened; `cause`: the id of the incident's event behind it, None where a person said so."""

    subject: PromiseSubject
    at: datetime
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePromise(PromiseCommand):
    """Something was promised, due at `due`."""

    text: str
    due: datetime
    remind: datetime | None
    source: PromiseSource
    promised_by: str
    awaits: PromiseAwaits = "other"
    owner: str | None = None
    reason: str | None = None
    due_by_default: bool = False
    calendar: str | None = None
    calendar_revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePromise(PromiseCommand):
    """Another due instant was agreed."""

    due: datetime
    remind: datetime | None
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOnPromise(PromiseCommand):
    """Somebody else has to keep it; None: the team."""

    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPromise(PromiseCommand):
    """What was promised is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawPromise(PromiseCommand):
    """Nothing is owed any more."""

    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceReminder(PromiseCommand):
    """By `at` its reminder may have been reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceBreak(PromiseCommand):
    """By `at` it may have been broken."""

    provisional: bool = False


Command = MakePromise | MovePromise | PassOnPromise | KeepPromise | WithdrawPromise | AnnounceReminder | AnnounceBreak
