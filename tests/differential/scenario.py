"""What a scenario is, what an engine answers, and how an answer may differ from the right one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from tests.differential.hours import Hours

Kind = Literal["hold", "resume", "priority", "resolve", "reopen", "calendar"]
Explains = Literal["yes", "partly", "no"]
Fault = Literal[
    "counts time that does not count",
    "drops elapsed time",
    "due too early",
    "due too late",
    "no due time",
    "a due time while paused",
    "misses the breach",
    "false breach",
    "breach at another time",
]


@dataclass(frozen=True)
class Step:
    """Something that happened at `at` and became known at `known`, which is the same but for late reports."""

    at: datetime
    kind: Kind
    reason: str = ""
    pauses: bool = True
    target: timedelta | None = None
    hours: Hours | None = None
    known: datetime | None = None

    @property
    def heard(self) -> datetime:
        """When an engine that does not know of late reports takes it to have happened."""
        return self.known or self.at


@dataclass(frozen=True)
class Answer:
    """What an engine shows in the end."""

    due: datetime | None
    elapsed: timedelta
    breached_at: datetime | None


@dataclass(frozen=True)
class Scenario:
    """A story of one clock, the right figures as computed by hand, and who is known to give which others."""

    key: str
    title: str
    hours: Hours
    opened: datetime
    target: timedelta
    steps: tuple[Step, ...]
    now: datetime
    right: Answer
    why: str
    differs: Mapping[str, frozenset[Fault]] = field(default_factory=dict)
    metric: Literal["resolution", "response"] = "resolution"

    def heard(self) -> Sequence[Step]:
        """The steps in the order and at the instants at which they became known."""
        return sorted(self.steps, key=lambda step: step.heard)


class Engine(Protocol):
    """An engine's rules as far as they are described."""

    name: str
    based_on: str
    explains: Explains

    def answer(self, scenario: Scenario) -> Answer:
        """What it shows as of the scenario's end."""
        ...


def faults(right: Answer, given: Answer) -> frozenset[Fault]:
    """How an answer differs from the right one."""
    found: set[Fault] = set()
    if given.elapsed != right.elapsed:
        found.add("counts time that does not count" if given.elapsed > right.elapsed else "drops elapsed time")
    if right.due is None or given.due is None:
        if given.due is not None:
            found.add("a due time while paused")
        elif right.due is not None:
            found.add("no due time")
    elif given.due != right.due:
        found.add("due too early" if given.due < right.due else "due too late")
    if right.breached_at is None or given.breached_at is None:
        if given.breached_at is not None:
            found.add("false breach")
        elif right.breached_at is not None:
            found.add("misses the breach")
    elif given.breached_at != right.breached_at:
        found.add("breach at another time")
    return frozenset(found)


class Watch:
    """Since when an engine that stores a due time has shown it as exceeded."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._due: datetime | None = None

    def store(self, at: datetime, due: datetime | None) -> None:
        """From `at` on the stored due time is `due`; None: none is shown."""
        before = self.shown(at)
        self._due = None if due is None else due.astimezone(UTC)
        self._since = (before or at) if self._due is not None and self._due < at else None

    def shown(self, at: datetime) -> datetime | None:
        """Since when it was exceeded, as seen at `at`."""
        if self._since is not None:
            return self._since
        return self._due if self._due is not None and self._due < at else None
