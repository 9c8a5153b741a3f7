"""Subjects on the bus. The only module that spells one."""

import hashlib
from functools import cache
from typing import Final

STREAM: Final = "EVENTS"
PARTITIONS: Final = 16
ALL_EVENTS: Final = "opsledger.evt.>"


def partition(key: str) -> int:
    """First 8 bytes of SHA-256 of the partition key, modulo 16; it lets a subscription be split later."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % PARTITIONS


def event_subject(event_type: str, partitionkey: str) -> str:
    """`opsledger.evt.<context>.<EventName>.<partition>`, for example `opsledger.evt.incident.IncidentOpened.07`."""
    return f"{_event_stem(event_type)}.{partition(partitionkey):02d}"


@cache
def _event_stem(event_type: str) -> str:
    _, context, name, _ = event_type.split(".")
    return f"opsledger.evt.{context}.{name}"


def context_subjects(context: str) -> str:
    """The filter that matches every event of a context."""
    return f"opsledger.evt.{context}.>"


def relay_subject(context: str) -> str:
    """Where a context's relay announces its time and last number every second; outside EVENTS."""
    return f"opsledger.relay.{context}"


ALL_RELAYS: Final = "opsledger.relay.*"
