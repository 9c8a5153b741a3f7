"""A calendar's revision to the clocks that run on it: a bounded number in each transaction, and resumed where it ended.

The event `CalendarApplied` sets a timer; its firing moves the next clocks by id and sets another for those after them.
So a crash loses nothing and repeats nothing. Clocks that start meanwhile name the last revision anyway, and none goes
back to an earlier one where two revisions are applied at once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from opsledger_events import Envelope
from opsledger_events.contexts.sla import CalendarApplied
from opsledger_runtime import ids
from opsledger_runtime.errors import Invalid
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import Metadata, Transaction
from opsledger_runtime.timers import Due, TimerQueue, schedule
from sla.casebook import Casebook
from sla.domain.calendar import TZ_VERSION, Calendar
from sla.domain.commands import RescheduleClock
from sla.domain.decider import CLOCK
from sla.handlers import ACTOR
from sla.projections.incident_facts import subject_at

QUEUE: Final = "calendar_application"
BATCH: Final = 100
"""Most clocks that one transaction moves."""

_log = structlog.get_logger()

RUNNING: Final = """
select id from clock
 where state in ('running', 'paused') and calendar = $1 and calendar_revision < $2 and id > $3 order by id limit $4
"""


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    timers = {_key(one.data["calendar"], one.data["revision"], str(one.id), ""): one.recordedtime for one in envelopes}
    await schedule(connection, QUEUE, timers)


def _key(calendar: str, revision: int, event: str, after: str) -> str:
    """`after`: the last clock that was looked at."""
    return f"{calendar}/{revision}/{event}/{after}"


async def _fire(tx: Transaction, timers: Sequence[Due]) -> None:
    """Work off the first timer; the others are set anew, so that a transaction stays small."""
    first, *others = timers
    calendar, revision, event, after = first.key.split("/")
    rows = await tx.connection.fetch(RUNNING, calendar, int(revision), after, BATCH)
    clocks = [row["id"] for row in rows]
    book = await Casebook.of_clocks(tx, clocks)
    wanted = await book.definitions.calendar(calendar, int(revision))
    for clock in clocks:
        await _reschedule(book, clock, wanted, int(revision), event)
    await tx.flush()
    left = {other.key: other.due for other in others}
    if len(clocks) == BATCH:
        left[_key(calendar, int(revision), event, clocks[-1])] = first.due
    await schedule(tx.connection, QUEUE, left)


async def _reschedule(book: Casebook, clock: str, wanted: Calendar, revision: int, event: str) -> None:
    tx = book.tx
    loaded = await tx.load(CLOCK, clock)
    state = loaded.state
    now: datetime = max(tx.now, state.latest)
    subject = subject_at(state.incident, book.facts(state.incident), now)
    if subject is None:
        return
    command = RescheduleClock(
        subject=subject,
        calendar=wanted,
        at=now,
        cause=event,
        previous=await book.definitions.calendar(state.calendar, state.calendar_revision),
        calendar_revision=revision,
        time_zone_database=TZ_VERSION,
    )
    metadata = Metadata(
        command_id=ids.derived_id("reschedule", clock, event),
        actor=ACTOR,
        correlation_id=book.trail(clock).correlation,
        causation_id=event,
    )
    try:
        await tx.execute(CLOCK, clock, command, metadata, loaded=loaded)
    except Invalid as error:  # a target of an agreement of old that these hours never reach; the others go on
        _log.warning("clock_not_rescheduled", clock=clock, calendar=state.calendar, revision=revision, code=error.code)


APPLICATIONS: Final = Projection("calendar_applications", 1, frozenset({CalendarApplied.type_name}), (), _apply)
"""Owns no table: it only sets the first timer of an application."""

APPLICATION_QUEUE: Final = TimerQueue(QUEUE, _fire)
