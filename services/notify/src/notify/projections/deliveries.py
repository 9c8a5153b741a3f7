"""Inline read models `delivery`, `delivery_work` and `unroutable`: every notice and what became of it.

Which deliveries are unsettled follows from events, so `delivery_work` can be rebuilt; its working columns are volatile
and begin anew. What is rebuilt while a mail is under way is sent again with the same Message-ID.
"""

from collections.abc import Sequence
from typing import Any

import pydantic_core

from opsledger_events import Envelope, decode
from opsledger_events.contexts.notify import (
    NotificationDelivered,
    NotificationFailed,
    NotificationRequested,
    NotificationUnroutable,
)
from opsledger_runtime.projections import Projection, Table

_REQUESTED = """
insert into delivery (id, about, about_number, organisation, cause, cause_type, rule, contact, team, channel, language,
  template, wording_version, facts, requested_at, state)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'planned')
"""
_DELIVERED = """
update delivery set state = 'delivered', attempts = $2, message_id = $3, provider = $4, settled_at = $5 where id = $1
"""
_FAILED = "update delivery set state = 'failed', attempts = $2, reason = $3, settled_at = $4 where id = $1"
_UNROUTABLE = """
insert into unroutable (id, about, about_number, organisation, cause, cause_type, rule, reason, noticed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Requested: planned and waiting to be sent. Settled: no longer waiting."""
    for envelope in envelopes:
        match decode(envelope):
            case NotificationRequested() as event:
                await _requested(connection, envelope, event)
                await connection.execute("insert into delivery_work (id) values ($1)", envelope.subject)
            case NotificationDelivered() as event:
                await connection.execute(
                    _DELIVERED, envelope.subject, event.attempts, event.message_id, event.provider, envelope.time
                )
                await connection.execute("delete from delivery_work where id = $1", envelope.subject)
            case NotificationFailed() as event:
                await connection.execute(_FAILED, envelope.subject, event.attempts, event.reason, envelope.time)
                await connection.execute("delete from delivery_work where id = $1", envelope.subject)
            case NotificationUnroutable() as event:
                await connection.execute(
                    _UNROUTABLE,
                    envelope.subject,
                    event.about,
                    event.about_number,
                    envelope.organisation,
                    event.cause,
                    event.cause_type,
                    event.rule,
                    event.reason,
                    envelope.time,
                )


async def _requested(connection: Any, envelope: Envelope, event: NotificationRequested) -> None:
    await connection.execute(
        _REQUESTED,
        envelope.subject,
        event.about,
        event.about_number,
        envelope.organisation,
        event.cause,
        event.cause_type,
        event.rule,
        event.contact,
        event.team,
        event.channel,
        event.language,
        event.template,
        event.wording_version,
        pydantic_core.to_json(event.values).decode(),
        envelope.time,
    )


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
