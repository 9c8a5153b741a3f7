"""Inline read models `delivery`, `delivery_work` and `unroutable`: every notice and what became of it.

Which deliveries are unsettled follows from events, so `delivery_work` can be rebuilt; its working columns are volatile
and begin anew. What is rebuilt while a mail is under way is sent again with the same Message-ID.
"""

from collections.abc import Sequence
from typing import Any, cast

import pydantic_core

from opsledger_events import Envelope, decode
from opsledger_events.contexts.notify import (
    NotificationDelivered,
    NotificationFailed,
    NotificationRequested,
    NotificationUnroutable,
)
from opsledger_runtime.projections import Projection, Table

_COLUMNS = (
    *("id", "about", "about_number", "organisation", "cause", "cause_type", "rule", "contact", "team", "channel"),
    *("language", "template", "wording_version", "facts", "requested_at", "state"),
)
_REQUESTED = f"""
with requested as (
  insert into delivery ({", ".join(_COLUMNS)})
  select {", ".join(_COLUMNS)} from jsonb_populate_recordset(null::delivery, $1::text::jsonb)
  returning id
)
insert into delivery_work (id) select id from requested
"""
_DELIVERED = """
with settled as (delete from delivery_work where id = $1)
update delivery set state = 'delivered', attempts = $2, message_id = $3, provider = $4, settled_at = $5 where id = $1
"""
_FAILED = """
with settled as (delete from delivery_work where id = $1)
update delivery set state = 'failed', attempts = $2, reason = $3, settled_at = $4 where id = $1
"""
_NOBODY = ("id", "about", "about_number", "organisation", "cause", "cause_type", "rule", "reason", "noticed_at")
_UNROUTABLE = f"""
insert into unroutable ({", ".join(_NOBODY)})
select {", ".join(_NOBODY)} from jsonb_populate_recordset(null::unroutable, $1::text::jsonb)
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Requested: planned and waiting to be sent. Settled: no longer waiting."""
    requested = [
        _requested(envelope) for envelope in envelopes if envelope.type_name == NotificationRequested.type_name
    ]
    nobody = [_nobody(envelope) for envelope in envelopes if envelope.type_name == NotificationUnroutable.type_name]
    if requested:  # whatever settles one of them comes after it
        await connection.execute(_REQUESTED, pydantic_core.to_json(requested).decode())
    if nobody:
        await connection.execute(_UNROUTABLE, pydantic_core.to_json(nobody).decode())
    for envelope in envelopes:
        match decode(envelope):
            case NotificationDelivered() as event:
                await connection.execute(
                    _DELIVERED, envelope.subject, event.attempts, event.message_id, event.provider, envelope.time
                )
            case NotificationFailed() as event:
                await connection.execute(_FAILED, envelope.subject, event.attempts, event.reason, envelope.time)


def _requested(envelope: Envelope) -> dict[str, Any]:
    event = cast(NotificationRequested, decode(envelope))
    row = event.model_dump()
    return {
        **row,
        "id": envelope.subject,
        "organisation": envelope.organisation,
        "facts": row["values"],
        "requested_at": envelope.time,
        "state": "planned",
    }


def _nobody(envelope: Envelope) -> dict[str, Any]:
    row = cast(NotificationUnroutable, decode(envelope)).model_dump()
    return {**row, "id": envelope.subject, "organisation": envelope.organisation, "noticed_at": envelope.time}


DELIVERIES = Projection(
    name="deliveries",
    version=1,
    reads=frozenset(
        {
            NotificationRequested.type_name,
            NotificationDelivered.type_name,
            NotificationFailed.type_name,
            NotificationUnroutable.type_name,
        }
    ),
    tables=(
        Table("delivery", ("id",)),
        Table(
            "delivery_work",
            ("id",),
            ("state", "attempts", "next_attempt_at", "claimed_by", "claimed_until", "message_id"),
        ),
        Table("unroutable", ("id",)),
    ),
    apply=apply,
)
