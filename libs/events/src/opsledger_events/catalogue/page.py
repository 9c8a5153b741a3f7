"""The readable page of the catalogue, in Markdown. Pure."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from opsledger_events.catalogue.schemas import data_schema
from opsledger_events.contract import Event

_HEAD: Final = """\
# Events

Generated from the event classes in `libs/events`; `python -m opsledger_events.catalogue` writes it anew.

Every event is a CloudEvent 1.0 in structured JSON on the JetStream stream `EVENTS`, at
`opsledger.evt.<context>.<EventName>.<partition>`. Its `data` is described here: a field with `?` is optional and left
out when it has no value; 🔒 marks personal data, which a later redaction may blank. Instants are RFC 3339 with offset.
Ignore fields that you do not know: within a major version optional ones are added and nothing else changes.

Schemas and one complete example of each event are in `libs/events/src/opsledger_events/schemas/`; the same for tools
is in [asyncapi.json](asyncapi.json).
"""

_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "object",
    "null": "nothing",
}


def page(classes: Mapping[str, type[Event]]) -> str:
    """The page for these classes: per context a table of events."""
    parts = [_HEAD]
    for context, found in groupby(classes.values(), lambda cls: cls.event_context()):
        parts.append(f"\n## {context}\n\n| event | meaning | partition key | fields of `data` |\n|---|---|---|---|\n")
        parts += [_line(cls) for cls in found]
    return "".join(parts)


def _line(cls: type[Event]) -> str:
    schema = data_schema(cls)
    fields = "<br>".join(_field(name, part, schema) for name, part in schema["properties"].items()) or "none"
    key = f"`{cls.partition_by}`" if cls.partition_by else "the aggregate"
    meaning = " ".join((cls.__doc__ or "").split())
    return f"| `{cls.event_name()}`<br>v{cls.event_major()} | {_escaped(meaning)} | {key} | {fields} |\n"


def _field(name: str, part: dict[str, Any], schema: dict[str, Any]) -> str:
    optional = "" if name in schema.get("required", ()) else "?"
    personal = " 🔒" if part.get("x-personal") else ""
    return f"`{name}`{optional} {_escaped(_kind(part, schema))}{personal}"


def _kind(part: dict[str, Any], root: dict[str, Any]) -> str:
    if "$ref" in part:
        definition = root["$defs"][part["$ref"].removeprefix("#/$defs/")]
        inside = ", ".join(f"{name}: {_kind(value, root)}" for name, value in definition.get("properties", {}).items())
        return f"object ({inside})" if inside else _kind(definition, root)
    if "anyOf" in part:
        return " or ".join(_kind(option, root) for option in part["anyOf"] if option.get("type") != "null")
    if "const" in part or "enum" in part:
        return " / ".join(str(value) for value in part.get("enum", [part.get("const")]))
    if part.get("format") == "date-time":
        return "instant"
    if part.get("type") == "array":
        return f"list of {_kind(part.get('items', {}), root)}"
    return _KINDS.get(part.get("type", ""), "anything")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
