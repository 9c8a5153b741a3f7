"""What a promise can be told. Each command says when it happened; time is never read here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from opsledger_events.contexts.sla import PromiseAwaits, PromiseSource
from sla.domain.commands import Subject

_ABOUT: Final = ("incident", "number", "title", "organisation", "service", "requester", "team")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseCommand:
    """`at`: when it happened; `cause`: the id of the incident's event behind it, None where a person said so."""

    subject: Subject
    at: datetime
    cause: str | None = None

    def about(self) -> dict[str, Any]:
        """What goes into every event of the promise of its incident, by name."""
        return {name: getattr(self.subject, name) for name in _ABOUT}


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
