"""Every size and duration of every case, so that a run is described by what differs from the defaults."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """Durations are in seconds, rates in operations per second."""

    command_seconds: float = 2.0
    command_clients: tuple[int, ...] = (1, 16)
    command_histories: tuple[int, ...] = (0, 100_000, 1_000_000)
    command_body_bytes: int = 600
    command_idle_seconds: float = 5.0
    drain_seconds: float = 120.0
    warm_seconds: float = 1.0

    bus_rates: tuple[int, ...] = (200, 500)
    bus_seconds: float = 4.0

    relay_backlog: int = 200_000

    projection_events: int = 1_000_000
    projection_live_rate: int = 1_000
    projection_live_seconds: float = 5.0

    reactor_rate: int = 500
    reactor_seconds: float = 5.0

    timers_due: int = 10_000
    timers_other: int = 100_000

    clock_days: tuple[int, ...] = (1, 7, 28, 90, 365)
    clock_stories: int = 2_000
    clock_retargets: int = 100
    clock_preview: int = 100_000
    clock_previews: int = 1

    alerts_distinct: int = 10_000
    alerts_batch: int = 100
    alerts_clients: int = 8
    alerts_seconds: float = 5.0

    query_incidents: int = 1_000_000
    query_requests: int = 100
    query_indicators: int = 3

    size_rounds: int = 1


QUICK: Final[Mapping[str, Any]] = {
    "command_seconds": 1.0,
    "command_histories": (0,),
    "command_idle_seconds": 2.0,
    "warm_seconds": 0.5,
    "drain_seconds": 60.0,
    "bus_seconds": 2.0,
    "relay_backlog": 10_000,
    "projection_events": 20_000,
    "projection_live_seconds": 2.0,
    "reactor_seconds": 2.0,
    "timers_due": 1_000,
    "timers_other": 5_000,
    "clock_stories": 300,
    "clock_retargets": 50,
    "clock_preview": 2_000,
    "alerts_distinct": 1_000,
    "alerts_seconds": 2.0,
    "query_incidents": 5_000,
    "query_requests": 100,
    "query_indicators": 2,
    "size_rounds": 1,
}
"""For developing a case: everything together in about a minute and a half; the figures mean little."""


def quick() -> Sizes:
    """Small sizes, for seeing whether a case works."""
    return replace(Sizes(), **QUICK)


def chosen(base: Sizes, given: Iterable[str]) -> Sizes:
    """`base` with changes written as `name=value`; a tuple is written with commas: `command_clients=1,16`.

    Raises:
        ValueError: says which name or value is wrong, and which names there are.
    """
    found = base
    for text in given:
        name, _, value = text.partition("=")
        found = replace(found, **{name: _read(base, name, value)})
    return found


def _read(base: Sizes, name: str, text: str) -> Any:
    known = {field.name for field in fields(base)}
    if name not in known:
        raise ValueError(f"there is no size {name!r}; there are: {', '.join(sorted(known))}")
    before = getattr(base, name)
    try:
        if isinstance(before, tuple):
            return tuple(_positive(int(part.replace("_", ""))) for part in text.split(","))
        return _positive(float(text) if isinstance(before, float) else int(text.replace("_", "")))
    except ValueError as error:
        kind = "numbers with commas between them" if isinstance(before, tuple) else "a number"
        raise ValueError(f"{name} is {kind} of at least 0, not {text!r}") from error


def _positive(number: Any) -> Any:
    if not number >= 0:
        raise ValueError(number)
    return number


def changed(sizes: Sizes) -> dict[str, Any]:
    """What differs from the defaults."""
    default = Sizes()
    return {
        field.name: getattr(sizes, field.name)
        for field in fields(sizes)
        if getattr(sizes, field.name) != getattr(default, field.name)
    }
