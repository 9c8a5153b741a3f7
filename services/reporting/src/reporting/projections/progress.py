"""How far the mart is, by source context, as `mart.freshness` shows it.

Written by the live subscription, not by a rebuild.
"""

from collections.abc import Sequence
from typing import Any, Final

from opsledger_events import Envelope

RECORD: Final = """
update reporting.progress set
  sequence = greatest(progress.sequence, new.sequence),
  event_at = greatest(progress.event_at, new.event_at),
  recorded_at = greatest(progress.recorded_at, new.recorded_at)
from unnest(${0}::text[], ${1}::bigint[], ${2}::timestamptz[], ${3}::timestamptz[])
  as new (source_context, sequence, event_at, recorded_at)
where progress.source_context = new.source_context
"""
"""Moves each context's mark forward to the batch's last event, never back; four parameters, as `marks` gives them."""


def marks(envelopes: Sequence[Envelope]) -> list[Sequence[Any]]:
    """By context: its last number, and the latest instants at which one of its events happened and was recorded."""
    found: dict[str, list[Any]] = {}
    for envelope in envelopes:
        context = envelope.context
        mark = found.get(context)
        if mark is None:
            found[context] = [context, envelope.sequence, envelope.time, envelope.recordedtime]
        else:
            mark[1] = envelope.sequence
            mark[2] = max(mark[2], envelope.time)
            mark[3] = max(mark[3], envelope.recordedtime)
    return [list(column) for column in zip(*sorted(found.values()), strict=True)]
