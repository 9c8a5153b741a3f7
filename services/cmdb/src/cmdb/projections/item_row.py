"""An item with its version and instants: what lists and single answers show. Pure.

The same fold serves the read model, `?as_of=` and `?known_at=`, so they cannot disagree.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cmdb.domain.facts import NAMES, Facts, after, of_record
from opsledger_events import Envelope, decode
from opsledger_events.contexts.cmdb import ConfigurationItemMerged
from opsledger_events.envelope import format_instant


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item, its version, and when it was registered and last changed. Instants are event times, in UTC."""

    id: str
    version: int = 0
    facts: Facts = field(default=Facts())
    merged_into: str | None = None
    registered_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether it is neither retired nor merged: whether it has identifiers and relations, and its key is taken."""
        return self.version > 0 and self.merged_into is None and self.facts.lifecycle != "retired"


COLUMNS: Final = ("id", *NAMES, "merged_into", "version", "registered_at", "changed_at")
"""The columns of `item`."""


def row_after(row: ItemRow, envelope: Envelope) -> ItemRow:
    """The row after one more event."""
    event = decode(envelope)
    return ItemRow(
        row.id,
        envelope.aggregateversion,
        after(row.facts, event),
        event.into if isinstance(event, ConfigurationItemMerged) else row.merged_into,
        row.registered_at or envelope.time,
        envelope.time,
    )


def fold(row: ItemRow, envelopes: Iterable[Envelope]) -> ItemRow:
    """The row after these events."""
    for envelope in envelopes:
        row = row_after(row, envelope)
    return row


def from_record(record: Mapping[str, Any]) -> ItemRow:
    """A row as the table holds it."""
    parsed = {name: json.loads(record[name]) for name in ("attributes", "identifiers")}
    facts = of_record({**{name: record[name] for name in NAMES}, **parsed})
    instants = record["registered_at"], record["changed_at"]
    return ItemRow(record["id"], record["version"], facts, record["merged_into"], *instants)


def shown(row: ItemRow) -> dict[str, Any]:
    """JSON-ready values by column: what callers see, and what the table takes."""
    instants = {"registered_at": row.registered_at, "changed_at": row.changed_at}
    return {
        "id": row.id,
        **row.facts.plain(),
        "merged_into": row.merged_into,
        "version": row.version,
        **{name: None if at is None else format_instant(at) for name, at in instants.items()},
    }
