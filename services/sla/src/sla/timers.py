"""Warnings and breaches as timers: derived from the `clock` row with every event of a clock, safe to fire twice.

Keys are `<clock>/breach` and `<clock>/warning/<percent>`. A timer waits until the incident context is known to be
caught up beyond its instant; the decision whether it is still true is the clock's.

A clock that an import told last has none while more of that import is to come: what is due by then may be told to have
been done in time.
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
from sla.projections.history_imports import under_way

QUEUE: Final = "clock"
_ROWS: Final = """
select found.* from unnest($1::text[]) as wanted (id) cross join lateral (
  select id, next_breach_at, next_warnings, memory->'warning_percent' as percents
    from clock where id = wanted.id offset 0) as found
"""


_IMPORTED: Final = """
select id, next_breach_at, next_warnings, memory->'warning_percent' as percents from clock
 where import_id = $1 and (next_breach_at is not null or next_warnings <> '[]') order by id
"""
_AT_ONCE: Final = 1_000


async def set_timers(connection: Any, import_id: str, now: datetime) -> None:
    """Set the timers of clocks that an import told last; not before `now`, since it became known only by then."""
    cursor = await connection.cursor(_IMPORTED, import_id)
    while rows := await cursor.fetch(_AT_ONCE):
        wanted = {key: due for row in rows for key, due in _due_instants(row).items() if due is not None}
        await schedule(connection, QUEUE, {key: max(due, now) for key, due in wanted.items()})


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    last = {envelope.subject: envelope for envelope in envelopes}
    imports = {envelope.importid for envelope in last.values() if envelope.importid is not None}
    unfinished = await under_way(connection, imports) if imports else frozenset()
    timers: dict[str, datetime] = {}
    over: list[str] = []
    for row in await connection.fetch(_ROWS, list(last)):
        envelope = last[row["id"]]
        for key, due in _due_instants(row).items():
            if due is None or envelope.importid in unfinished:
                over.append(key)
            else:
                # Not before it became known: so it waits until all is read that was known by then, which may be
                # the end of a story that came in as a whole, long after it happened.
                timers[key] = max(due, envelope.recordedtime)
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
