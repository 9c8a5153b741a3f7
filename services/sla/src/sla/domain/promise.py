"""A promise is a pure function of what happened and `now`, like a clock: nothing depends on the order of telling.

Rules that a reader may ask for:
- It is broken at its due instant, unless it was kept, moved or withdrawn by then; what happens at that very instant
  comes first.
- What was broken stays broken in the count, though it is kept late. It cannot be moved any more.
- The earliest thing that settles it counts; what comes after that changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

FactKind = Literal["made", "moved", "passed_on", "kept", "withdrawn"]
State = Literal["open", "kept", "broken", "withdrawn"]

_RANK: Final[dict[FactKind, int]] = {"made": 0, "moved": 1, "passed_on": 2, "kept": 3, "withdrawn": 4}
"""What comes first of several things at one instant; of two of a kind, which people alone tell, the one told first."""

_BEGINNING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to the promise at `at`. `made` and `moved` carry `due` and `remind`, `made` and
    `passed_on` an `owner` (None: the team).
    """

    kind: FactKind
    at: datetime
    due: datetime | None = None
    remind: datetime | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a promise shows at an instant. `broken_at` stays where a broken promise was kept late or withdrawn."""

    state: State
    made_at: datetime
    due: datetime
    remind_at: datetime | None
    owner: str | None
    previous: tuple[datetime, ...] = ()
    broken_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def late_seconds(self) -> int:
        """Whole seconds from due to kept; 0 in time or not kept."""
        if self.state != "kept" or self.settled_at is None:
            return 0
        return max(self.settled_at - self.due, _BEGINNING) // timedelta(seconds=1)


def read(facts: Iterable[Fact], now: datetime | None) -> Reading | None:
    """The promise as of `now`; None where it was not made by then. `now` None: what comes if nothing else happens."""
    ordered = sorted((fact for fact in facts if now is None or fact.at <= now), key=_order)
    made = next((fact for fact in ordered if fact.kind == "made"), None)
    if made is None or made.due is None:
        return None
    due, remind, owner = made.due, made.remind, made.owner
    previous: list[datetime] = []
    broken_at: datetime | None = None
    state: State = "open"
    settled_at: datetime | None = None
    for fact in ordered:
        if fact.at < made.at or fact is made:
            continue
        if broken_at is None and due < fact.at:
            broken_at = due
        match fact.kind:
            case "moved" if broken_at is None and fact.due is not None and fact.due > fact.at:
                previous.append(due)
                due, remind = fact.due, fact.remind
            case "passed_on":
                owner = fact.owner
            case "kept" | "withdrawn":
                state, settled_at = ("kept" if fact.kind == "kept" else "withdrawn"), fact.at
                break
    if settled_at is None and broken_at is None and (now is None or due <= now):
        broken_at = due
    if settled_at is None and broken_at is not None:
        state = "broken"
    return Reading(state, made.at, due, remind, owner, tuple(previous), broken_at, settled_at)


def _order(fact: Fact) -> tuple[datetime, int]:
    return fact.at, _RANK[fact.kind]
