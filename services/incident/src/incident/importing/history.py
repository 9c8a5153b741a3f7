"""A foreign history in neutral words: what every reader of an export gives, whatever system wrote it.

Owns the port. A reader is handed bytes and yields the log's rows, or why a row cannot be used; it refuses a file that
is no such log at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Literal, Protocol

from opsledger_events.contexts.incident import Channel, Responsibility

Standing = Literal["new", "active", "held", "resolved", "closed", "cancelled"]
"""Where an incident stands, in the words that service desks share."""


class NoHistory(Exception):
    """The file is no log of that system; the message says why, as a sentence."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row that cannot be used: the number of its first line, counted from 1, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """An incident as the log shows it after one update. None is unknown everywhere.

    `identity` tells this row from the others of its incident, and is the same in a longer export of the same log.
    `reassignments` and `reopenings` are the source's own counters. `particulars` are named facts for which there is no
    event; a change of one is written down as a note. `doubts` are what had to be decided to read the row.
    """

    line: int
    number: str
    identity: str
    at: datetime
    opened_at: datetime | None
    standing: Standing | None
    hold_reason: str = "awaiting_other"
    team: str | None = None
    assignee: str | None = None
    impact: int | None = None
    urgency: int | None = None
    priority: int | None = None
    reassignments: int | None = None
    reopenings: int | None = None
    title: str
    description: str = ""
    category: str | None = None
    configuration_item: str | None = None
    requester: str | None = None
    channel: Channel = "other"
    responsibility: Responsibility = "provider"
    resolution: str
    particulars: tuple[tuple[str, str], ...] = ()
    actor: str | None = None
    doubts: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads the exports of one system."""

    @property
    def system(self) -> str:
        """What `external_system` says of its incidents."""
        ...

    def read(self, source: BinaryIO) -> Iterator[HistoryRow | Damaged]:
        """Every row in the order of the file.

        Raises:
            NoHistory: the file is no log of this system.
        """
        ...
