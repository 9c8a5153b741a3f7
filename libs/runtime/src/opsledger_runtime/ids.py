"""Identifiers: fresh ones, and ones derived so that a repeat is recognised. The only source of randomness."""

import hashlib
import os
import random
import time
from typing import Final
from uuid import UUID

NAMESPACE: Final = UUID("6f2d1c1e-54f0-5b0e-9a53-0b1c8f9f7a11")


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): ordered by creation, so that indexes stay dense."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def caller_command_id(caller: str, key: str) -> UUID:
    """The command id of an `Idempotency-Key`, scoped to the caller."""
    return _uuid5(NAMESPACE, f"command\n{caller}\n{key}")


def reactor_command_id(subscription: str, cause: UUID, ordinal: int) -> UUID:
    """The command id of the ordinal-th command that a subscription derives from one event."""
    return _uuid5(NAMESPACE, f"reaction\n{subscription}\n{cause}\n{ordinal}")


def event_id(command: UUID, ordinal: int) -> UUID:
    """The id of the ordinal-th event of a command: the same command never makes a second event."""
    return _uuid5(command, str(ordinal))


def derived_id(*parts: str) -> UUID:
    """An id that the parts determine, for example a part's from its whole's and its name."""
    return _uuid5(NAMESPACE, "\n".join(parts))


def _uuid5(namespace: UUID, name: str) -> UUID:
    """As `uuid.uuid5`, at a third of its cost: every event has one, and those derived from it."""
    digest = hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()
    value = int.from_bytes(digest[:16]) & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=value | (0x5 << 76) | (0x2 << 62))


def salt() -> bytes:
    """16 random bytes."""
    return os.urandom(16)


def jitter(seconds: float) -> float:
    """Between 50 % and 100 % of the given time, so that those who wait do not return together."""
    return seconds * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
