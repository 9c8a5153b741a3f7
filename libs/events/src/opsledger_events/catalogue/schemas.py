"""JSON Schemas (2020-12) and examples of events and of their envelope. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from opsledger_events.contract import Event, Personal
from opsledger_events.envelope import Envelope

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_ID: Final = "urn:opsledger:schema:envelope"

_NAMESPACE: Final = UUID("b1f0a4b2-3f52-5c53-9a0e-58a2d8f6c9de")
_HAPPENED: Final = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def data_schema(cls: type[Event]) -> dict[str, Any]:
    """The closed schema of an event's `data`, as its producer holds to it; subscribers ignore what they do not know."""
    schema = cls.model_json_schema()
    definitions = schema.pop("$defs", {})
    _tidy(schema)
    for definition in definitions.values():
        _tidy(definition)
    for name, info in cls.model_fields.items():
        if any(isinstance(mark, Personal) for mark in info.metadata):
            schema["properties"][name]["x-personal"] = True
    found = {
        "$schema": DIALECT,
        "$id": f"urn:opsledger:schema:{cls.type_name}",
        "title": cls.event_name(),
        "description": schema.pop("description", ""),
        "x-partition-key": cls.partition_by or "subject",
        **{key: value for key, value in schema.items() if key != "title"},
    }
    found.setdefault("properties", {})
    return {**found, "$defs": definitions} if definitions else found


def _tidy(schema: dict[str, Any]) -> None:
    """Close objects and drop the titles that pydantic derives from field names."""
    if "properties" in schema:
        schema["additionalProperties"] = False
    for part in schema.get("properties", {}).values():
        part.pop("title", None)


def envelope_schema() -> dict[str, Any]:
    """The schema of the CloudEvent around every event; open, as CloudEvents allows further attributes."""
    text: dict[str, Any] = {"type": "string", "minLength": 1}
    instant = {"type": "string", "format": "date-time"}
    required = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "The same wherever the event is repeated."},
        "type": {"type": "string", "pattern": r"^opsledger\.[a-z]+\.[A-Za-z0-9]+\.v[1-9][0-9]*$"},
        "source": {
            "type": "string",
            "pattern": "^/opsledger/[^/]+/[a-z]+$",
            "description": "Installation and context.",
        },
        "subject": {**text, "description": "Id of the aggregate."},
        "time": {**instant, "description": "When it happened."},
        "recordedtime": {**instant, "description": "When it became known."},
        "datacontenttype": {"const": "application/json"},
        "aggregateversion": {"type": "integer", "minimum": 1},
        "partitionkey": {**text, "description": "The aggregate's id, or its owner's."},
        "correlationid": text,
        "actor": {**text, "description": "Opaque id of a person or service."},
        "data": {"type": "object"},
    }
    optional = {
        "organisation": text,
        "causationid": {**text, "description": "Id of the event or command that caused it."},
        "importid": text,
        "traceparent": text,
        "sequence": {"type": "string", "pattern": "^[0-9]{20}$", "description": "Gapless number within the context."},
    }
    return {
        "$schema": DIALECT,
        "$id": ENVELOPE_ID,
        "title": "Envelope",
        "description": "A CloudEvent 1.0 in structured JSON.",
        "type": "object",
        "properties": {**required, **optional},
        "required": sorted(required),
    }


def example(cls: type[Event]) -> Envelope:
    """A complete event with the class's example as data; the same on every machine and day."""
    subject = str(uuid5(_NAMESPACE, f"subject {cls.event_context()}"))
    data = dict(cls.example)
    return Envelope(
        id=uuid5(_NAMESPACE, cls.type_name),
        type=f"opsledger.{cls.type_name}",
        source=f"/opsledger/example/{cls.event_context()}",
        subject=subject,
        time=_HAPPENED,
        recordedtime=_HAPPENED + timedelta(milliseconds=250),
        aggregateversion=1,
        partitionkey=data[cls.partition_by] if cls.partition_by else subject,
        correlationid=str(uuid5(_NAMESPACE, f"correlation {cls.type_name}")),
        causationid=str(uuid5(_NAMESPACE, f"cause {cls.type_name}")),
        actor="person-3",
        organisation="acme",
        data=data,
        sequence=42,
    )
