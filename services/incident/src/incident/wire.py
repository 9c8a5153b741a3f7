"""What travels over this context's HTTP API: request bodies and answers.

Text is kept exactly as sent; only text with nothing to see in it is refused. Instants are RFC 3339 with an offset.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from opsledger_events.contexts.incident import Channel, Responsibility
from opsledger_events.envelope import parse_instant
from opsledger_events.names import Name, OpaqueId, Reason

COMMON_HOLD_REASONS: Final = (
    "awaiting_requester",
    "awaiting_vendor",
    "awaiting_change",
    "awaiting_third_party",
    "other",
)

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")
_INVISIBLE: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise ValueError("Give an RFC 3339 instant with an offset, for example 2026-11-22T08:30:00+08:00.")
    if not _FIRST_YEAR <= int(value[:4]) <= _LAST_YEAR:
        raise ValueError(f"Give an instant between the years {_FIRST_YEAR} and {_LAST_YEAR}.")
    return parse_instant(value.upper())


def _query_instant(value: Any) -> Any:
    # A plus that was not percent-encoded arrives as a blank.
    return _instant(_LOST_PLUS.sub("+", value) if isinstance(value, str) and "T" in value else value)


def _seen(text: str) -> str:
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValueError("Write something that can be read.")
    return text


_SCHEMA: Final = WithJsonSchema({"type": "string", "format": "date-time"})
Instant = Annotated[datetime, BeforeValidator(_instant), _SCHEMA]
QueryInstant = Annotated[datetime, BeforeValidator(_query_instant), _SCHEMA]
Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_seen)]
Level = Annotated[int, Field(strict=True, ge=1, le=3, description="1 is the highest.")]
HoldReason = Annotated[Reason, Field(description=f"Commonly one of {', '.join(COMMON_HOLD_REASONS)}.")]


class Happened(BaseModel):
    """What every command may say: when it happened, if not now."""

    model_config = ConfigDict(extra="forbid")

    occurred_at: Instant | None = Field(default=None, description="When it happened, if not now; never in the future.")


class Open(Happened):
    """A report of an incident."""

    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_seen)]
    description: Annotated[str, Field(max_length=20_000)] = ""
    impact: Level
    urgency: Level
    category: Name | None = None
    service: Name | None = None
    configuration_item: Name | None = None
    organisation: OpaqueId | None = None
    requester: OpaqueId | None = None
    channel: Channel = "other"


class Assign(Happened):
    """Who is responsible from now on."""

    team: OpaqueId
    assignee: OpaqueId | None = None


class Start(Happened):
    """Who works on it, where that is not stated already."""

    assignee: OpaqueId | None = None


class Hold(Happened):
    """What the work waits for. The domain refuses a promise without its date by its rule, R13."""

    reason: HoldReason
    note: Text | None = None
    promised_at: Annotated[
        Instant | None, Field(description="When the requester was told that work goes on; later than the hold.")
    ] = None
    promised: Annotated[Text | None, Field(description="What the requester was told; shown to the requester.")] = None


class Prioritise(Happened):
    """Impact and urgency, judged anew."""

    impact: Level
    urgency: Level


class Note(Happened):
    """A note; a public one is meant for the requester."""

    text: Text
    public: Annotated[bool, Field(strict=True)] = False


class Contact(Happened):
    """That somebody at work on it spoke to the requester (R2). The note is internal, what was booked is not."""

    channel: Channel
    note: Text | None = None
    booked_at: Annotated[
        Instant | None, Field(description="When a visit or a call was booked for; later than the contact.")
    ] = None


class Workaround(Happened):
    """How service can be used before the cause is removed; shown to the requester."""

    workaround: Text


class Resolve(Happened):
    """How service was restored. The domain refuses a missing responsibility by its rule, R16."""

    responsibility: Responsibility | None = None
    resolution: Text


class Because(Happened):
    """Why."""

    reason: Text


class IncidentView(BaseModel):
    """An incident in lists and in answers to commands. Instants are RFC 3339 in UTC.

    `criticality` is its item's when it was opened; `promised_at` and `promised` are of the hold that stands.
    """

    id: str
    version: int
    number: str
    title: str
    state: str
    impact: int
    urgency: int
    priority: int
    category: str | None
    service: str | None
    configuration_item: str | None
    criticality: str | None
    organisation: str | None
    requester: str | None
    channel: str
    team: str | None
    assignee: str | None
    hold_reason: str | None
    hold_note: str | None
    promised_at: str | None
    promised: str | None
    workaround: str | None
    responsibility: str | None
    resolution: str | None
    cancel_reason: str | None
    alert_source: str | None
    alert_fingerprint: str | None
    alert_state: str | None
    parent: str | None
    parent_number: str | None
    opened_at: str
    started_at: str | None
    resolved_at: str | None
    closed_at: str | None
    changed_at: str


class NoteView(BaseModel):
    """A note of an incident."""

    text: str
    public: bool
    actor: str
    time: str


class ContactView(BaseModel):
    """When somebody spoke to the requester, and what was booked; the note only for staff."""

    channel: str
    note: str | None
    booked_at: str | None
    actor: str
    time: str


class AffectedItem(BaseModel):
    """A configuration item that suffers, `distance` relations away."""

    key: str
    name: str
    item_class: str | None
    is_service: bool
    distance: int


class Affected(BaseModel):
    """What depends on the incident's item: `count` items, of which the first are listed, business services foremost."""

    count: int
    items: list[AffectedItem]


class ChildView(BaseModel):
    """An incident grouped under this one."""

    id: str
    number: str
    title: str
    state: str
    configuration_item: str | None


class Children(BaseModel):
    """The incidents grouped under this one: `count` of them, of which the first are listed."""

    count: int
    items: list[ChildView]


class IncidentDetail(IncidentView):
    """One incident with its texts; internal notes, and those of contacts, only for those who may read its history.

    `alert_received_count`: how often its alert came firing, as far as that is remembered (90 days after the last time);
    null where no alert raised it, and for the past. `path` names the items from its own to its parent's. `affected` is
    null where its item is unknown, `children` where no alert raised it; both are of now, and for staff.
    """

    description: str
    alert_received_count: int | None
    notes: list[NoteView]
    contacts: list[ContactView]
    path: list[str]
    affected: Affected | None
    children: Children | None


class RejectedAlert(BaseModel):
    """An alert that was kept aside, by its place in the batch."""

    index: int
    reason: str


class KeptAside(BaseModel):
    """An alert that was kept aside: the beginning of its JSON, and how many bytes all of it has."""

    id: int
    source: str
    received_at: str
    reason: str
    size: int
    body: str


class TakenIn(BaseModel):
    """What became of a batch of alerts; the four numbers add up to `received`."""

    received: int
    opened: int
    repeated: int
    changed: int
    rejected: int
    rejections: list[RejectedAlert]


StateName = Literal["new", "assigned", "in_progress", "on_hold", "resolved", "closed", "cancelled"]
