"""Warnings and breaches as timers: derived from where a clock's last event says that it stands, safe to fire twice.

Keys are `<clock>/breach` and `<clock>/warning/<percent>`. A timer waits until the incident context is known to be
caught up beyond its instant; the decision whether it is still true is the clock's.

A clock that an import told last has none while more of that import is to come: what is due by then may be told to have
been done in time.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import ClockEvent, SLAClockStarted
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import Transaction
from opsledger_runtime.timers import Due, TimerQueue, cancel, schedule
from sla.casebook import Casebook
from sla.handlers import announce_due
from sla.projections.clock import READS
from sla.projections.history_imports import under_way

QUEUE: Final = "clock"
_WARNED_AT: Final = """
select found.* from unnest($1::text[]) as wanted (id) cross join lateral (
  select id, memory->'warning_percent' as percents from clock where id = wanted.id offset 0) as found
"""

_IMPORTED: Final = """
select id, next_breach_at, next_warnings from clock
 where import_id = $1 and (next_breach_at is not null or next_warnings <> '[]') order by id
"""
_AT_ONCE: Final = 1_000


async def set_timers(connection: Any, import_id: str, now: datetime) -> None:
    """Set the timers of clocks that an import told last; not before `now`, since it became known only by then."""
    cursor = await connection.cursor(_IMPORTED, import_id)
    while rows := await cursor.fetch(_AT_ONCE):
        timers: dict[str, datetime] = {}
        for row in rows:
            warnings = {
                mark["percent"]: datetime.fromisoformat(mark["at"]) for mark in json.loads(row["next_warnings"])
            }
            wanted = _due_instants(row["id"], row["next_breach_at"], warnings, list(warnings))
            timers |= {key: max(due, now) for key, due in wanted.items() if due is not None}
        await schedule(connection, QUEUE, timers)


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    last = {envelope.subject: envelope for envelope in envelopes}
    imports = {envelope.importid for envelope in last.values() if envelope.importid is not None}
    unfinished = await under_way(connection, imports) if imports else frozenset()
    events = {clock: cast(ClockEvent, decode(envelope)) for clock, envelope in last.items()}
    warned_at = {clock: event.warning_percent for clock, event in events.items() if type(event) is SLAClockStarted}
    if others := [clock for clock in events if clock not in warned_at]:
        rows = await connection.fetch(_WARNED_AT, others)
        warned_at |= {row["id"]: json.loads(row["percents"]) for row in rows}
    timers: dict[str, datetime] = {}
    over: list[str] = []
    for clock, percents in warned_at.items():
        envelope, standing = last[clock], events[clock].standing
        breach_at, warnings = (standing.breach_at, standing.warnings) if standing else (None, ())
        due_instants = _due_instants(clock, breach_at, {mark.percent: mark.at for mark in warnings}, percents)
        for key, due in due_instants.items():
            if due is None or envelope.importid in unfinished:
                over.append(key)
            else:
                # Not before it became known: so it waits until all is read that was known by then, which may be
                # the end of a story that came in as a whole, long after it happened.
                timers[key] = max(due, envelope.recordedtime)
    await cancel(connection, QUEUE, over)
    await schedule(connection, QUEUE, timers)


def _due_instants(
    clock: str, breach_at: datetime | None, warnings: Mapping[int, datetime], percents: Sequence[int]
) -> dict[str, datetime | None]:
    """By key; None where there is nothing to announce any more."""
    wanted = {f"{clock}/breach": breach_at}
    for percent in percents:
        wanted[f"{clock}/warning/{percent}"] = warnings.get(percent)
    return wanted


async def _fire(tx: Transaction, timers: Sequence[Due]) -> None:
    book = await Casebook.of_clocks(tx, [due.key.partition("/")[0] for due in timers])
    for due in timers:
        await announce_due(book, due.key.partition("/")[0], due.due, provisional=due.provisional)


CLOCK_TIMERS = Projection("clock_timers", 1, READS, (), _apply)
"""Owns no table of its own: it only keeps `es.timer` in step with `clock`, and comes after it in the inline order."""

CLOCK_QUEUE = TimerQueue(QUEUE, _fire, waits_for=("incident",))
