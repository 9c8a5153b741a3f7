"""The AsyncAPI 3.0 document: channels are subjects, messages are CloudEvents. Pure; JSON, which is also YAML."""

from collections.abc import Mapping
from typing import Any, Final

from opsledger_events import subjects
from opsledger_events.catalogue.schemas import data_schema, envelope_schema, example
from opsledger_events.contract import Event
from opsledger_events.envelope import CONTENT_TYPE

_ABOUT: Final = """\
Every fact of Opsledger is an event on the JetStream stream `EVENTS`. Events of one context keep their order; order
between contexts is never promised. Delivery is at least once: `sequence` is gapless within a context, so that a
repeat and a gap are both seen. Within a major version only optional fields are added: ignore what you do not know."""


def asyncapi(classes: Mapping[str, type[Event]]) -> dict[str, Any]:
    """The document for these classes, self-contained: every reference points into it."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Envelope": _embedded(envelope_schema())}
    for type_name, cls in classes.items():
        name = f"{cls.event_context()}.{cls.event_name()}"
        schemas[type_name] = _embedded(data_schema(cls))
        messages[type_name] = _message(cls)
        channel = channels.setdefault(name, _channel(cls))
        channel["messages"][type_name] = {"$ref": f"#/components/messages/{type_name}"}
        operation = operations.setdefault(
            f"announce.{name}", {"action": "send", "channel": {"$ref": f"#/channels/{name}"}, "messages": []}
        )
        operation["messages"].append({"$ref": f"#/channels/{name}/messages/{type_name}"})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Opsledger events", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _channel(cls: type[Event]) -> dict[str, Any]:
    prefix = subjects.context_subjects(cls.event_context()).removesuffix(">")
    return {
        "address": f"{prefix}{cls.event_name()}.{{partition}}",
        "title": cls.event_name(),
        "messages": {},
        "parameters": {
            "partition": {
                "enum": [f"{at:02d}" for at in range(subjects.PARTITIONS)],
                "description": "First 8 bytes of SHA-256 of the partition key, modulo 16.",
            }
        },
    }


def _message(cls: type[Event]) -> dict[str, Any]:
    shown = example(cls)
    return {
        "name": f"opsledger.{cls.type_name}",
        "title": f"{cls.event_name()} v{cls.event_major()}",
        "summary": " ".join((cls.__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {
                "Content-Type": {"const": CONTENT_TYPE},
                "Nats-Msg-Id": {"type": "string", "format": "uuid"},
                "ce-type": {"const": f"opsledger.{cls.type_name}"},
                "traceparent": {"type": "string"},
            },
            "required": ["Content-Type", "Nats-Msg-Id", "ce-type"],
        },
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": f"opsledger.{cls.type_name}"},
                        "data": {"$ref": f"#/components/schemas/{cls.type_name}"},
                    },
                },
            ]
        },
        "examples": [{"name": cls.event_name(), "headers": shown.headers(), "payload": shown.attributes()}],
    }


def _embedded(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without its own name and with its definitions in place, so that it can stand inside a document."""
    definitions = schema.get("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return inlined(definitions[part["$ref"].removeprefix("#/$defs/")])
            return {key: inlined(value) for key, value in part.items()}
        return [inlined(value) for value in part] if isinstance(part, list) else part

    return {key: inlined(value) for key, value in schema.items() if key not in ("$schema", "$id", "$defs")}
