"""How far a service's subscriptions are known to have read each context, as an instant of domain time (D10).

Owns the comparison of what relays announce with what subscriptions have applied. Refuses to guess: a context that
was silent too long is named as such, and who acts on it says so.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from opsledger_runtime.clock import monotonic

NEVER = datetime.min.replace(tzinfo=UTC)


class Mark(Protocol):
    """A relay's word: every event recorded at or before `time` has a number of at most `last`. `heard`: monotonic s."""

    @property
    def time(self) -> datetime: ...
    @property
    def last(self) -> int: ...
    @property
    def heard(self) -> float: ...


class Marks(Protocol):
    """Where the latest words are found."""

    def of(self, context: str) -> Mark | None: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """By context the last publication number that is applied, and the contexts of which an event is parked."""

    numbers: Mapping[str, int]
    parked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Horizon:
    """What is known: by context the instant up to which everything is applied; which contexts are silent or parked.

    A parked event counts as applied, for it must hold nothing up, but what it says is not known.
    """

    read: Mapping[str, datetime]
    silent: frozenset[str]
    parked: frozenset[str] = frozenset()

    def until(self, contexts: Iterable[str], now: datetime) -> datetime:
        """Up to which due instant timers may fire that wait for these contexts; silent ones hold nothing up."""
        known = [self.read.get(context, NEVER) for context in contexts if context not in self.silent]
        return min([now, *known])

    def provisional(self, contexts: Iterable[str], due: datetime) -> bool:
        """Whether firing now rests on a silent context, or on one of which an event is parked."""
        return any(context in self.parked or self.read.get(context, NEVER) < due for context in contexts)


class CaughtUp:
    """Remembers how far each context was seen to be caught up.

    A mark that is not reached yet is kept until it is, though later ones arrive meanwhile: a subscription that is
    always a little behind is still known to have passed the earlier ones.
    """

    def __init__(self, marks: Marks, applied: Callable[[], Awaitable[Applied]], silence_seconds: float) -> None:
        self._marks = marks
        self._applied = applied
        self._silence = silence_seconds
        self._since = monotonic()
        self._read: dict[str, datetime] = {}
        self._open: dict[str, Mark] = {}

    def begin(self) -> None:
        """Count silence from now: a process that was frozen has heard nothing, which says nothing."""
        self._since = monotonic()

    async def look(self, contexts: Iterable[str]) -> Horizon:
        """Compare now; one query."""
        asked = list(contexts)
        latest = {context: mark for context in asked if (mark := self._marks.of(context)) is not None}
        applied = await self._applied()  # read after the marks, so that it can only be further than they know
        silent = {context for context in asked if self._silent(latest.get(context))}
        for context, mark in latest.items():
            if mark.time < self._read.get(context, NEVER):  # the domain clock was moved back
                self._read.pop(context)
                self._open.pop(context, None)
            reached = applied.numbers.get(context, 0)
            if reached >= mark.last:
                self._read[context] = mark.time
                self._open.pop(context, None)
                continue
            waited = self._open.setdefault(context, mark)
            if waited.time > mark.time:
                waited = self._open[context] = mark
            if reached >= waited.last:
                self._read[context] = max(self._read.get(context, NEVER), waited.time)
                self._open[context] = mark
        return Horizon(dict(self._read), frozenset(silent), applied.parked)

    def _silent(self, mark: Mark | None) -> bool:
        return monotonic() - (self._since if mark is None else max(mark.heard, self._since)) > self._silence
