"""A calendar's revision to the clocks that run on it."""

from datetime import datetime
from typing import Final

import structlog

from opsledger_events.contexts.sla import CalendarApplied
from opsledger_runtime.errors import Invalid
from sla.applying import Application, Cause
from sla.casebook import Casebook
from sla.domain.calendar import TZ_VERSION
from sla.domain.commands import RescheduleClock
from sla.domain.decider import CLOCK
from sla.projections.incident_facts import subject_at

_log = structlog.get_logger()

RUNNING: Final = """
select id from clock
 where state in ('running', 'paused') and calendar = $1 and calendar_revision < $2 and id > $3 order by id limit $4
"""


async def _reschedule(book: Casebook, clock: str, cause: Cause) -> None:
    tx = book.tx
    loaded = await tx.load(CLOCK, clock)
    state = loaded.state
    now: datetime = max(tx.now, state.latest)
    subject = subject_at(state.incident, book.facts(state.incident), now)
    if subject is None:
        return
    command = RescheduleClock(
        subject=subject,
        calendar=await book.definitions.calendar(cause.of, cause.revision),
        at=now,
        cause=cause.event,
        previous=await book.definitions.calendar(state.calendar, state.calendar_revision),
        calendar_revision=cause.revision,
        time_zone_database=TZ_VERSION,
    )
    try:
        await tx.execute(CLOCK, clock, command, cause.metadata(clock, book, "reschedule"), loaded=loaded)
    except Invalid as error:  # a target of an agreement of old that these hours never reach; the others go on
        _log.warning(
            "clock_not_rescheduled", clock=clock, calendar=state.calendar, revision=cause.revision, code=error.code
        )


CALENDARS: Final = Application("calendar_application", CalendarApplied, "calendar", RUNNING, _reschedule)
