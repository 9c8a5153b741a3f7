"""Why a due instant is no longer the first one: each move, with what moved it. Pure.

The due instant is asked of the clock function as if the clock ran on at once, so a pause moves it while it lasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sla.domain.calendar import elapsed
from sla.domain.clock import Fact, Reading, Terms, read

MOST: Final = 60
"""Facts whose moves are told one by one; each asks the clock function anew."""


@dataclass(frozen=True, slots=True)
class Move:
    """The due instant moved from `before` to `after` at `at`; `working` is the working time between the two.

    `because`: a `pause` for `reason`, another `target`, the time `standing` between done and reopened, the target
    `restarted` by a reopening, another revision of the `calendar` or of the `agreement`, or `several` changes that are
    too many to tell.
    """

    because: Literal["pause", "target", "standing", "restarted", "several", "calendar", "agreement"]
    at: datetime
    before: datetime
    after: datetime
    working: timedelta
    reason: str | None = None


def due_if_running(facts: Sequence[Fact], terms: Terms, at: datetime) -> datetime | None:
    """When the target elapses if nothing more happens than that a paused or stopped clock goes on at `at`."""
    reading = read(facts, terms, at)
    if reading is None:
        return None
    if reading.state in ("paused", "stopped"):
        kind: Literal["resumed", "continued"] = "resumed" if reading.state == "paused" else "continued"
        reading = read((*facts, Fact(kind, at, "", len(facts))), terms, at)
    return None if reading is None else reading.due


def first_due(facts: Sequence[Fact], terms: Terms) -> datetime | None:
    """The due instant of the first target, as known when it was given."""
    for n, fact in enumerate(facts):
        if fact.target is not None:
            return due_if_running(facts[: n + 1], terms, fact.at)
    return None


def moves(facts: Sequence[Fact], terms: Terms, now: datetime) -> tuple[Move, ...]:
    """From the first due instant to the one as of `now`, in order. `facts` are those up to then, in order."""
    last = first_due(facts, terms)
    final = due_if_running(facts, terms, now)
    if last is None or final is None:
        return ()
    if len(facts) > MOST:
        return () if last == final else (_move("several", now, last, final, terms),)
    found: list[Move] = []
    targeted = next(n for n, fact in enumerate(facts) if fact.target is not None)
    for n in range(targeted + 1, len(facts) + 1):
        fact = facts[n] if n < len(facts) else None
        at = now if fact is None else fact.at
        before = read(facts[:n], terms, at)
        if before is None or (fact is not None and fact.kind in ("stopped", "cancelled")):
            continue
        if fact is None and before.state != "paused":
            continue
        without = due_if_running(facts[:n], terms, at)
        if without is not None and without != last:
            found.append(_waited(before, at, last, without, terms))
            last = without
        after = None if fact is None else due_if_running(facts[: n + 1], terms, at)
        if after is not None and after != last:
            found.append(_move("target", at, last, after, terms))
            last = after
    return tuple(found)


def _waited(before: Reading, at: datetime, last: datetime, due: datetime, terms: Terms) -> Move:
    if before.state == "stopped":
        return _move("restarted" if terms.reopen == "restart" else "standing", at, last, due, terms)
    reason = before.trace[-1].reason if before.trace else None
    return _move("pause", at, last, due, terms, reason)


def _move(
    because: Literal["pause", "target", "standing", "restarted", "several"],
    at: datetime,
    before: datetime,
    after: datetime,
    terms: Terms,
    reason: str | None = None,
) -> Move:
    working = elapsed(terms.calendar, min(before, after), max(before, after))
    return Move(because, at, before, after, working, reason)
