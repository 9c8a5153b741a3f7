"""What a published event looks like on the bus: subject, headers and body, and the bytes of NATS that carry them. Pure.

The bytes are put together here because the client's own way checks and copies every header by itself, which costs more
than all the rest of publishing. Refuses to let a header's value end its line.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import pydantic_core

from opsledger_events.envelope import CONTENT_TYPE
from opsledger_events.subjects import event_subject
from opsledger_runtime import ledger
from opsledger_runtime.numbering import Numbered

HASH_HEADER: Final = "Opsledger-Hash"
SALT_HEADER: Final = "Opsledger-Salt"

_KEY: Final = b',"partitionkey":"'
# The end of canonical bytes, whose attributes stand in alphabetical order: everything after `data` is plain text, and
# a quotation mark within a text never follows a comma without a backslash between them.
_TAIL: Final = re.compile(
    rb',"partitionkey":"([^"\\]+)","recordedtime":"[^"\\]+","source":"[^"\\]+","specversion":"1\.0"'
    rb',"subject":"[^"\\]+","time":"[^"\\]+"(?:,"traceparent":"([^"\\]*)")?,"type":"([^"\\]+)"\}\Z'
)
_NEWLINES: Final = str.maketrans("\r\n", "  ")


class Message(NamedTuple):
    """One event as it goes on the bus."""

    subject: str
    headers: dict[str, str]
    data: bytes


def message(event: Numbered) -> Message:
    """The event's message."""
    event_type, key, trace = _routing(event.body)
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Nats-Msg-Id": str(event.event),
        "ce-type": event_type,
        HASH_HEADER: event.hash.hex(),
        SALT_HEADER: event.salt.hex(),
    }
    if trace is not None:
        headers["traceparent"] = trace
    return Message(event_subject(event_type, key), headers, ledger.wire(event.body, event.no))


def _routing(body: bytes) -> tuple[str, str, str | None]:
    """Type, partition key and trace; an event is not parsed for them where it is written as this release writes it."""
    found = _TAIL.match(body, body.rfind(_KEY))
    if found is not None:
        key, trace, event_type = found.groups()
        return event_type.decode(), key.decode(), None if trace is None else trace.decode()
    attributes = pydantic_core.from_json(body)
    return attributes["type"], attributes["partitionkey"], attributes.get("traceparent")


def frame(subject: str, headers: Mapping[str, str], data: bytes, *, reply: str = "") -> bytes:
    """The bytes that publish a message with headers (`HPUB`)."""
    block = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
    if block.count("\n") >= len(headers) or block.count("\r") >= len(headers):
        block = "\r\n".join([f"{name}: {value.translate(_NEWLINES)}" for name, value in headers.items()])
    head = f"NATS/1.0\r\n{block}\r\n\r\n".encode()
    return f"HPUB {subject} {reply} {len(head)} {len(head) + len(data)}\r\n".encode() + head + data + b"\r\n"
