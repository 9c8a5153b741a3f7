"""The port to whoever takes a mail over, and the closed set of what can come of it.

Where it came to nothing, `reason` is announced and logged: fixed words, codes and numbers. `detail` stays in the log of
attempts: it may hold anything, such as a server's answer that repeats the address (D11).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it is handed over: the same for every attempt, so that copies are recognised by `message_id`."""

    delivery: str
    message_id: str
    recipient_name: str
    recipient_email: str
    subject: str
    body: str
    language: str
    cause: str
    date: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """Taken over. `detail`: what the provider said."""

    provider: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Not now: the provider is busy or limits us. `retry_after`: seconds, where it said so."""

    reason: str
    detail: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Transient:
    """Certainly not taken over, and another attempt may succeed."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good: the same mail would be refused again."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Handed over, but the answer never came: it may or may not have been taken."""

    reason: str
    detail: str = ""


Outcome = Delivered | Throttled | Transient | Rejected | Unknown


class Sender(Protocol):
    """Hands one mail over and says what came of it; raises nothing but cancellation."""

    async def send(self, mail: Mail) -> Outcome: ...
