"""How far the mart is, by source context, as `mart.freshness` shows it.

Written by the live subscription, not by a rebuild.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from opsledger_events import Envelope

_RECORD = """
update reporting.progress set
  sequence = greatest(progress.sequence, new.sequence),
  event_at = greatest(progress.event_at, new.event_at),
  recorded_at = greatest(progress.recorded_at, new.recorded_at)
from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])
  as new (source_context, sequence, event_at, recorded_at)
where progress.source_context = new.source_context
"""


async def record_progress(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Move each context's mark forward to the batch's last event; never back."""
    latest: dict[str, tuple[int | None, datetime, datetime]] = {}
    for envelope in envelopes:
        before = latest.get(envelope.context)
        latest[envelope.context] = (
            envelope.sequence,
            envelope.time if before is None else max(before[1], envelope.time),
            envelope.recordedtime if before is None else max(before[2], envelope.recordedtime),
        )
    if latest:
        contexts = sorted(latest)
        await connection.execute(_RECORD, contexts, *zip(*(latest[context] for context in contexts), strict=True))
