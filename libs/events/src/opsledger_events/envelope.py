"""The envelope: a CloudEvent 1.0 in structured JSON, the same bytes on the bus, in webhooks and archives.

Refuses anything that would not survive the way: NUL, lone surrogates, naive instants, oversize.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pydantic_core
from pydantic_core import core_schema

if TYPE_CHECKING:
    from opsledger_events.contract import Event

MAX_BYTES: Final = 256 * 1024
"""Largest event, in bytes of its JSON; binaries are references with a digest."""

CONTENT_TYPE: Final = "application/cloudevents+json"
SEQUENCE_DIGITS: Final = 20

_READING: Final = (
    *("specversion", "id", "type", "source", "subject", "time", "recordedtime", "datacontenttype", "aggregateversion"),
    *("partitionkey", "correlationid", "actor", "data", "organisation", "causationid", "importid", "traceparent"),
    "sequence",
)
"""The attributes in the order in which people read them."""


class InvalidEnvelope(ValueError):
    """The bytes or headers are not an event of this platform; the message says which rule they break."""


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with microseconds: one spelling per instant, so that digests are stable."""
    if instant.tzinfo is None:
        raise InvalidEnvelope("an instant needs an offset")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _writable(instant: datetime) -> datetime | str:
    """The instant itself where pydantic's encoder spells it as we do, which takes a fraction of the time."""
    return instant if instant.tzinfo is UTC and instant.microsecond else format_instant(instant)


def parse_instant(text: str) -> datetime:
    """Parse RFC 3339; a naive instant is refused."""
    try:
        instant = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise InvalidEnvelope(f"not an RFC 3339 instant: {text!r}") from error
    if instant.tzinfo is None:
        raise InvalidEnvelope(f"an instant needs an offset: {text!r}")
    if instant.tzinfo is UTC:
        return instant
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise InvalidEnvelope(f"an instant outside the years 1 to 9999: {text!r}") from error


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event with everything around it.

    `time` is when it happened in the world, `recordedtime` when it became known. `sequence` is the publication
    number within its context: None until the relay has given it one. `decoded` is the payload that `decode` keeps
    for the next reader; it is no part of the event.
    """

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    recordedtime: datetime
    aggregateversion: int
    partitionkey: str
    correlationid: str
    actor: str
    data: dict[str, Any]
    organisation: str | None = None
    causationid: str | None = None
    importid: str | None = None
    traceparent: str | None = None
    sequence: int | None = None
    decoded: "Event | None" = field(default=None, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Envelope, tuple(getattr(self, found.name) for found in fields(self) if found.init)

    @property
    def context(self) -> str:
        """The producing context: the last segment of `source`."""
        return self.source.rsplit("/", 1)[-1]

    @property
    def name(self) -> str:
        """The event's name, for example `IncidentOpened`."""
        return self.type.split(".")[2]

    @property
    def type_name(self) -> str:
        """The type without the platform's prefix, for example `incident.IncidentOpened.v1`."""
        return self.type.removeprefix("opsledger.")

    def numbered(self, sequence: int) -> "Envelope":
        """The same event with its publication number."""
        return replace(self, sequence=sequence)

    def attributes(self) -> dict[str, Any]:
        """The CloudEvent as a JSON-ready mapping, for people to read; absent optional attributes are left out."""
        found = self._stated(self.data)
        found["id"] = str(self.id)
        found["time"], found["recordedtime"] = format_instant(self.time), format_instant(self.recordedtime)
        return {name: found[name] for name in _READING if name in found}

    def to_json(self) -> bytes:
        """Structured-mode JSON."""
        return self.standing_for(self.data)

    def standing_for(self, data: Any) -> bytes:
        """Structured-mode JSON with something in the place of the data; the attributes are in order of their names.

        Raises:
            pydantic_core.PydanticSerializationError: a lone surrogate.
        """
        return pydantic_core.to_json(self._stated(data))

    def _stated(self, data: Any) -> dict[str, Any]:
        """The attributes in order of their names, as what pydantic's encoder writes in our spelling."""
        found: dict[str, Any] = {"actor": self.actor, "aggregateversion": self.aggregateversion}
        if self.causationid is not None:
            found["causationid"] = self.causationid
        found["correlationid"] = self.correlationid
        found["data"] = data
        found["datacontenttype"] = "application/json"
        found["id"] = self.id
        if self.importid is not None:
            found["importid"] = self.importid
        if self.organisation is not None:
            found["organisation"] = self.organisation
        found["partitionkey"] = self.partitionkey
        found["recordedtime"] = _writable(self.recordedtime)
        if self.sequence is not None:
            found["sequence"] = f"{self.sequence:0{SEQUENCE_DIGITS}d}"
        found["source"] = self.source
        found["specversion"] = "1.0"
        found["subject"] = self.subject
        found["time"] = _writable(self.time)
        if self.traceparent is not None:
            found["traceparent"] = self.traceparent
        found["type"] = self.type
        return found

    def headers(self) -> dict[str, str]:
        """The NATS headers that travel beside the JSON."""
        found = {"Content-Type": CONTENT_TYPE, "Nats-Msg-Id": str(self.id), "ce-type": self.type}
        if self.traceparent is not None:
            found["traceparent"] = self.traceparent
        return found

    @classmethod
    def from_json(cls, raw: bytes) -> "Envelope":
        """Read structured-mode JSON; unknown extension attributes are ignored.

        Raises:
            InvalidEnvelope: the bytes are no CloudEvent of this platform.
        """
        if len(raw) > MAX_BYTES * 2:
            raise InvalidEnvelope("the event is too large")
        try:
            return _as_written(raw)
        except ValueError:
            return cls._read(raw)  # which takes all that can be taken, and says what is wrong with the rest

    @classmethod
    def _read(cls, raw: bytes) -> "Envelope":
        try:
            found = pydantic_core.from_json(raw)
            if found["specversion"] != "1.0":
                raise InvalidEnvelope(f"specversion {found['specversion']!r} is not 1.0")
            if not isinstance(found["data"], dict):
                raise InvalidEnvelope("data is not an object")
            if found["type"].count(".") != 3 or not found["type"].startswith("opsledger."):
                raise InvalidEnvelope(f"type {found['type']!r} is not opsledger.<context>.<EventName>.v<major>")
            sequence = found.get("sequence")
            return cls(
                id=UUID(found["id"]),
                type=found["type"],
                source=found["source"],
                subject=found["subject"],
                time=parse_instant(found["time"]),
                recordedtime=parse_instant(found["recordedtime"]),
                aggregateversion=int(found["aggregateversion"]),
                partitionkey=found["partitionkey"],
                correlationid=found["correlationid"],
                actor=found["actor"],
                data=found["data"],
                organisation=found.get("organisation"),
                causationid=found.get("causationid"),
                importid=found.get("importid"),
                traceparent=found.get("traceparent"),
                sequence=None if sequence is None else int(sequence),
            )
        except InvalidEnvelope:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidEnvelope(f"not an Opsledger event: {error}") from error


def _validator() -> pydantic_core.SchemaValidator:
    """Reads what this platform's producers write, and less than `Envelope._read` takes, in one pass outside Python."""
    text = core_schema.str_schema(strict=True)
    optional = core_schema.with_default_schema(core_schema.nullable_schema(text), default=None)
    schemas: dict[str, core_schema.CoreSchema] = {
        "id": core_schema.uuid_schema(),
        "type": core_schema.str_schema(strict=True, pattern=r"^opsledger\.[^.]*\.[^.]*\.[^.]*$"),
        "aggregateversion": core_schema.int_schema(strict=True),
        "data": core_schema.dict_schema(text, core_schema.any_schema()),
        "organisation": optional,
        "causationid": optional,
        "importid": optional,
        "traceparent": optional,
        "sequence": optional,
        "decoded": core_schema.with_default_schema(core_schema.none_schema(), default=None),
    }
    names = [found.name for found in fields(Envelope)]
    stated = [
        core_schema.dataclass_field(name, schemas.get(name, text), kw_only=True, init=name != "decoded")
        for name in names
    ]
    version = core_schema.dataclass_field(
        "specversion", core_schema.literal_schema(["1.0"]), kw_only=True, init_only=True
    )
    arguments = core_schema.dataclass_args_schema("Envelope", [*stated, version], extra_behavior="ignore")
    return pydantic_core.SchemaValidator(core_schema.dataclass_schema(Envelope, arguments, names, slots=True))


_READ: Final = _validator().validate_json
_set: Final = object.__setattr__  # an envelope is frozen for everybody else


def _as_written(raw: bytes) -> Envelope:
    """The envelope in the form in which producers write it.

    Raises:
        ValueError: some other form, or none.
    """
    found: Envelope = _READ(raw)
    stated: Any = found  # instants and number are texts as yet
    told_twice = stated.recordedtime == stated.time
    _set(found, "time", parse_instant(stated.time))
    _set(found, "recordedtime", found.time if told_twice else parse_instant(stated.recordedtime))
    if stated.sequence is not None:
        _set(found, "sequence", int(stated.sequence))
    return found
