"""Opsledger's event contracts: everything a subscriber needs to read the stream, and nothing else.

Depends on pydantic alone, so that another enterprise's system can install it. It knows what an event
looks like on the bus, over HTTP and at rest; it does not know how events are stored or transported.
"""

from opsledger_events.contract import Event, Personal
from opsledger_events.envelope import Envelope, InvalidEnvelope
from opsledger_events.registry import UnknownMajor, UnknownType, decode, event_class, event_classes

__all__ = [
    "Envelope",
    "Event",
    "InvalidEnvelope",
    "Personal",
    "UnknownMajor",
    "UnknownType",
    "decode",
    "event_class",
    "event_classes",
]
