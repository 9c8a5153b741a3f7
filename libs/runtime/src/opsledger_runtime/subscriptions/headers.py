"""Reading the headers of received messages at a fraction of the client's cost, with the same result.

nats-py looks at every character of every header's name, which is half of what receiving an event costs. The names that
relays write are known here; a line with any other name goes to the client's own parser.
"""

from typing import Any, Final

from nats.aio.client import Client

_NAMES: Final = {
    name.encode(): name
    for name in (
        "Content-Type",
        "Nats-Batch-Commit",
        "Nats-Batch-Id",
        "Nats-Batch-Sequence",
        "Nats-Expected-Last-Subject-Sequence",
        "Nats-Expected-Last-Subject-Sequence-Subject",
        "Nats-Msg-Id",
        "Opsledger-Hash",
        "Opsledger-Salt",
        "ce-type",
        "traceparent",
    )
}


def parse_lines(raw: bytes) -> dict[str, str]:
    """What `Client._parse_header_lines` answers."""
    found: dict[str, str] = {}
    for line in raw.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = _NAMES.get(name)
        if key is not None and colon:
            found[key] = value.strip().decode("utf-8", "replace")
        elif line:
            found.update(Client._parse_header_lines(line))
    return found


def read_fast(client: Any) -> None:
    """Let this connection read headers this way."""
    client._parse_header_lines = parse_lines
