"""What the clocks of this case are about: office hours with the holidays of China, targets, and a usual story."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opsledger_events.contexts.sla import RetargetPolicy
from sla.calendars import definition_of
from sla.domain.calendar import Calendar, calendar_from
from sla.domain.clock import Fact, Terms

OFFICE_HOURS: Final[dict[str, Any]] = {
    "time_zone": "Asia/Shanghai",
    "always_open": False,
    "weekly": [
        {"day": day, "opens": opens, "closes": closes}
        for day in range(5)
        for opens, closes in (("09:00", "12:00"), ("13:00", "18:00"))
    ],
    "holidays": {"country": "CN"},
}
"""As it is asked for: holidays and make-up working days are looked up."""

PAUSING: Final = frozenset({"awaiting_requester", "awaiting_third_party"})
WARNINGS: Final = (50, 75)
_HOUR: Final = 3600
TARGETS: Final = {
    priority: {"response": response * _HOUR // 2, "resolution": resolution * _HOUR}
    for priority, response, resolution in ((1, 1, 4), (2, 2, 8), (3, 4, 24), (4, 8, 40), (5, 16, 80))
}
"""Seconds by priority and metric."""

BEGAN: Final = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
_APART: Final = timedelta(seconds=601)
_USUAL: Final = (
    *((0.0, "opened"), (0.1, "held"), (0.15, "resumed"), (0.35, "held"), (0.45, "resumed")),
    *((0.5, "targeted"), (0.6, "held"), (0.65, "resumed")),
)
"""Three waits and another priority, by share of the story."""


def calendar() -> Calendar:
    """Of a year whose holidays are published; the year after is as the library expects it."""
    return calendar_from(definition_of(OFFICE_HOURS, BEGAN))


def terms(of: Calendar, policy: RetargetPolicy = "from_opening") -> Terms:
    """What the clocks are computed with."""
    return Terms(of, PAUSING, WARNINGS, policy)


def targets(days: int) -> tuple[int, int]:
    """Seconds before and after the change; neither has passed by the end of a story of so many days."""
    return days * 12 * _HOUR, days * 9 * _HOUR


def promised() -> list[dict[str, int]]:
    """The targets as an agreement writes them."""
    return [
        {"priority": priority, **{f"{metric}_seconds": seconds for metric, seconds in of.items()}}
        for priority, of in TARGETS.items()
    ]


def stories(days: int, count: int) -> "Sequence[tuple[list[Fact], datetime]]":
    """Usual stories of so many days that begin at different instants, each with the instant of its end."""
    found = []
    for number in range(count):
        opened, whole = BEGAN + number * _APART, timedelta(days=days)
        before, after = targets(days)
        agreed = {"opened": before, "targeted": after}
        facts = [
            Fact(
                kind,  # type: ignore[arg-type]
                opened + share * whole,
                f"event-{number}-{n}",
                n,
                "awaiting_requester" if kind == "held" else None,
                agreed.get(kind),
            )
            for n, (share, kind) in enumerate(_USUAL)
        ]
        found.append((facts, opened + whole))
    return found
