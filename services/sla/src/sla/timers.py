"""Warnings and breaches as timers: derived from the `clock` row with every event of a clock, safe to fire twice.

Keys are `<clock>/breach` and `<clock>/warning/<percent>`. A timer waits until the incident context is known to be
caught up beyond its instant; the decision whether it is still true is the clock's.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import Transaction
from opsledger_runtime.timers import Due, TimerQueue, cancel, schedule
from sla.casebook import Casebook
from sla.handlers import announce_due
from sla.projections.clock import READS

QUEUE: Final = "clock"
_ROWS: Final = """
select found.* from unnest($1::text[]) as wanted (id) cross join lateral (
  select id, next_breach_at, next_warnings, memory->'warning_percent' as percents
    from clock where id = wanted.id offset 0) as found
"""


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    known = {envelope.subject: envelope.recordedtime for envelope in envelopes}
    timers: dict[str, datetime] = {}
    over: list[str] = []
    for row in await connection.fetch(_ROWS, list(known)):
        for key, due in _due_instants(row).items():
            if due is None:
                over.append(key)
            else:
                # Not before it became known: so it waits until all is read that was known by then, which may be
                # the end of a story that came in as a whole, long after it happened.
                timers[key] = max(due, known[row["id"]])
    await cancel(connection, QUEUE, over)
    await schedule(connection, QUEUE, timers)


def _due_instants(row: Any) -> dict[str, datetime | None]:
    """By key; None where there is nothing to announce any more."""
    warnings = {mark["percent"]: datetime.fromisoformat(mark["at"]) for mark in json.loads(row["next_warnings"])}
    wanted: dict[str, datetime | None] = {f"{row['id']}/breach": row["next_breach_at"]}
    for percent in json.loads(row["percents"]):
        wanted[f"{row['id']}/warning/{percent}"] = warnings.get(percent)
    return wanted


async def _fire(tx: Transaction, timers: Sequence[Due]) -> None:
    book = await Casebook.of_clocks(tx, [due.key.partition("/")[0] for due in timers])
    for due in timers:
        await announce_due(book, due.key.partition("/")[0], due.due, provisional=due.provisional)


CLOCK_TIMERS = Projection("clock_timers", 1, READS, (), _apply)
"""Owns no table of its own: it only keeps `es.timer` in step with `clock`, and comes after it in the inline order."""

CLOCK_QUEUE = TimerQueue(QUEUE, _fire, waits_for=("incident",))
