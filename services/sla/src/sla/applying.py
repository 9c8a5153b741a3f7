"""A revision to the clocks that run by an earlier one: a bounded number in each transaction, resumed where it ended.

The event of the application sets a timer; its firing moves the next clocks by id and sets another for those after them.
So a crash loses nothing and repeats nothing. Clocks that start meanwhile name the last revision anyway, and none goes
back to an earlier one where two revisions are applied at once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opsledger_events import Envelope, Event
from opsledger_runtime import ids
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import Metadata, Transaction
from opsledger_runtime.timers import Due, TimerQueue, schedule
from sla.casebook import Casebook
from sla.handlers import ACTOR

BATCH: Final = 100
"""Most clocks that one transaction moves."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What is applied: the revision of the definition `of`, by the event of that id."""

    of: str
    revision: int
    event: str

    def metadata(self, clock: str, book: Casebook, purpose: str) -> Metadata:
        """Of what is done to a clock for it, once."""
        return Metadata(
            command_id=ids.derived_id(purpose, clock, self.event),
            actor=ACTOR,
            correlation_id=book.trail(clock).correlation,
            causation_id=self.event,
        )


@dataclass(frozen=True, slots=True)
class Application:
    """`event` applies the definition that its field `of` names. `running` selects the ids of clocks by definition,
    revision, the last id looked at, and how many; `move` moves one.
    """

    queue: str
    event: type[Event]
    of: str
    running: str
    move: Callable[[Casebook, str, Cause], Awaitable[None]]

    def projection(self) -> Projection:
        """Owns no table: it only sets the first timer of an application."""

        async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
            told = [
                (Cause(one.data[self.of], one.data["revision"], str(one.id)), one.recordedtime) for one in envelopes
            ]
            await schedule(connection, self.queue, {_key(cause, ""): known for cause, known in told})

        return Projection(f"{self.queue}s", 1, frozenset({self.event.type_name}), (), apply)

    def timers(self) -> TimerQueue:
        """Works off the first timer; the others are set anew, so that a transaction stays small."""

        async def fire(tx: Transaction, timers: Sequence[Due]) -> None:
            first, *others = timers
            of, revision, event, after = first.key.split("/")
            cause = Cause(of, int(revision), event)
            rows = await tx.connection.fetch(self.running, of, cause.revision, after, BATCH)
            clocks = [row["id"] for row in rows]
            book = await Casebook.of_clocks(tx, clocks)
            for clock in clocks:
                await self.move(book, clock, cause)
            await tx.flush()
            left = {other.key: other.due for other in others}
            if len(clocks) == BATCH:
                left[_key(cause, clocks[-1])] = first.due
            await schedule(tx.connection, self.queue, left)

        return TimerQueue(self.queue, fire)


def _key(cause: Cause, after: str) -> str:
    """`after`: the last clock that was looked at."""
    return f"{cause.of}/{cause.revision}/{cause.event}/{after}"
