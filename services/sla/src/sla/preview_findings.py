"""What is asked of a preview, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from opsledger_events.contexts.sla import AgreementDefined, Metric
from sla.domain.preview import NO_CLOCK, Outcome, Promise, Reason, Verdict

Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked for. `agreement`: the id that the draft would have; None: a new one.

    `organisations`: those that the caller may see; None: all. `begins`, `ends`: of openings, the end excluded.
    `judged`: only incidents of which the agreement of that id judged a clock. `most`: incidents looked at.
    """

    agreement: str | None
    draft: AgreementDefined
    promised: Promise
    now: datetime
    zone: ZoneInfo
    period: Period
    organisations: Sequence[str] | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    organisation: str | None = None
    service: str | None = None
    priority: int | None = None
    judged: bool = False
    most: int = 100_000
    limit: int = 50


class Place(NamedTuple):
    """Where a list of changes goes on: before this metric of this incident, `seen` incidents later than the first."""

    at: datetime
    incident: str
    metric: int
    seen: int


@dataclass(frozen=True, slots=True)
class Judged:
    """How a clock was judged in fact, and by which revision; no agreement where there was no clock."""

    outcome: Outcome = NO_CLOCK
    agreement: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A clock whose verdict would be another. `covered`: whether the draft is the incident's agreement."""

    place: Place
    number: str
    organisation: str | None
    service: str | None
    priority: int
    metric: Metric
    before: Judged
    after: Outcome
    covered: bool
    reason: Reason


@dataclass(slots=True)
class Count:
    """Clocks by verdict, as they were judged and as the draft would have judged them."""

    before: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(("met", "breached", "running", "none"), 0))
    after: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(("met", "breached", "running", "none"), 0))
    changed: int = 0


Counts = dict[tuple[str, int, Metric], Count]
"""By period, priority and metric."""


@dataclass(slots=True)
class Found:
    """`incidents` that the draft is about; `truncated`: there are more than were looked at. `counts` are over all."""

    incidents: int = 0
    truncated: bool = False
    counts: Counts = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
