"""Reminders and breaches of promises as timers: derived from the `promise` row, safe to fire twice.

Keys are `<promise>/reminder` and `<promise>/break`. A timer waits until the incident context is known to be caught up
beyond its instant; the decision whether it is still true is the promise's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import Transaction
from opsledger_runtime.timers import Due, TimerQueue, cancel, schedule
from sla.domain.promise_decider import PROMISE
from sla.projections.incident_facts import subjects_of
from sla.projections.promises import READS, rows_of
from sla.promising import announce_due

QUEUE: Final = "promise"
_ROWS: Final = "select id, next_reminder_at, next_break_at from promise where id = any($1::text[])"


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    last = {envelope.subject: envelope for envelope in envelopes}
    timers: dict[str, datetime] = {}
    over: list[str] = []
    for row in await connection.fetch(_ROWS, list(last)):
        for kind, due in (("reminder", row["next_reminder_at"]), ("break", row["next_break_at"])):
            if due is None:
                over.append(f"{row['id']}/{kind}")
            else:
                # Not before it became known: so it waits until all is read that was known by then.
                timers[f"{row['id']}/{kind}"] = max(due, last[row["id"]].recordedtime)
    await cancel(connection, QUEUE, over)
    await schedule(connection, QUEUE, timers)


async def _fire(tx: Transaction, timers: Sequence[Due]) -> None:
    rows = await rows_of(tx.connection, {due.key.partition("/")[0] for due in timers})
    subjects = await subjects_of(tx.connection, {row["incident"] for row in rows.values()})
    await tx.load_many(PROMISE, list(rows))
    for due in timers:
        row = rows.get(due.key.partition("/")[0])
        if row is not None and row["incident"] in subjects:
            subject = subjects[row["incident"]]
            await announce_due(tx, row["id"], row, subject, due.due, provisional=due.provisional)


PROMISE_TIMERS: Final = Projection("promise_timers", 1, READS, (), _apply)
"""Owns no table: it only keeps `es.timer` in step with `promise`, and comes after it in the inline order."""

PROMISE_QUEUE: Final = TimerQueue(QUEUE, _fire, waits_for=("incident",))
