"""A monitoring alert in this context's own words, whoever sent it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from incident.domain.commands import AlertState


@dataclass(frozen=True, slots=True)
class Report:
    """What an alert says, in the words of an incident. `names` are what its item may be called, the likeliest first."""

    title: str
    description: str
    impact: int
    urgency: int
    category: str | None = None
    service: str | None = None
    configuration_item: str | None = None
    team: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `fingerprint`, `starts_at` and `state` together recognise a repeat. Instants are the sender's.

    `report` puts into words what it says; most alerts are repeats, of which nobody wants to know that again.
    """

    index: int
    fingerprint: str
    state: AlertState
    starts_at: datetime
    ends_at: datetime | None
    organisation: str | None
    report: Callable[[], Report]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An alert that could not be taken in: its place in the batch, why, and its bytes as JSON."""

    index: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one delivery held."""

    alerts: tuple[Alert, ...]
    unreadable: tuple[Unreadable, ...]
