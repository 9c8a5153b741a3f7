"""From delivered messages to what is to be done with them. Pure: no I/O, no clock.

Owns the rules of D7 about which event is applied, skipped, rejected or ahead of its turn. An event that
the subscription does not read is neither parsed nor decoded: its number stands at a fixed place in the bytes, its
context in the subject and its type in a header. One that it reads is decoded here, and its envelope keeps that for
the handler.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import pydantic_core
from pydantic import ValidationError

from opsledger_events import Envelope, InvalidEnvelope, UnknownMajor, UnknownType, decode
from opsledger_events.registry import UPCASTERS
from opsledger_runtime.faults import describe
from opsledger_runtime.subscriptions.checkpoint import Checkpoint
from opsledger_runtime.subscriptions.subscription import Subscription

_NUMBER: Final = re.compile(rb'\{"sequence":"(\d{1,20})"[,}]')
MESSAGE_ID: Final = "Nats-Msg-Id"
TYPE: Final = "ce-type"


class Rejected(ValueError):
    """The event cannot be handed to the handler; the message says why."""


class Message(Protocol):
    """What is used of a NATS message."""

    subject: str
    reply: str
    data: bytes
    headers: Any


def places(reply: str) -> tuple[int, int]:
    """Sequence in the stream and sequence of the consumer, from a message's acknowledgement subject (ADR-15).

    Raises:
        ValueError: it is not such a subject.
    """
    tokens = reply.split(".")
    if len(tokens) == 9:
        return int(tokens[5]), int(tokens[6])
    if len(tokens) >= 11 and tokens[1] == "ACK":
        return int(tokens[7]), int(tokens[8])
    raise ValueError(f"not an acknowledgement subject: {reply!r}")


class Selector:
    """Which types a subscription wants; remembers its answer by type. Keeps what was read before its turn."""

    def __init__(self, subscription: Subscription) -> None:
        self._reads = subscription.reads
        self._stems = {name.rsplit(".v", 1)[0] for name in subscription.reads}
        self._skipped: dict[str, bool] = {}
        self._early: dict[int, tuple[Message, Envelope]] = {}

    def skips(self, type_name: str) -> bool:
        """True for a type that the subscription does not read in any major version."""
        found = self._skipped.get(type_name)
        if found is None:
            found = self._skipped[type_name] = type_name.rsplit(".v", 1)[0] not in self._stems
        return found

    def read_early(self, message: "Message") -> None:
        """Read a message that waits for its turn; what is wrong with it is found when that comes."""
        if id(message) in self._early:
            return
        stated = (message.headers or {}).get(TYPE)
        if stated is None or self.skips(stated.removeprefix("opsledger.")):
            return
        try:
            envelope = Envelope.from_json(message.data)
            decode(envelope)
        except Exception:  # said in its turn
            return
        self._early[id(message)] = message, envelope  # with the message, so that no other has its identity

    def taken(self, message: "Message") -> Envelope | None:
        """What was read early of a message whose turn has come."""
        found = self._early.pop(id(message), None)
        return None if found is None else found[1]

    def forget(self) -> None:
        """The messages that waited do so no more."""
        self._early.clear()

    def accept(self, envelope: Envelope) -> bool:
        """True: to the handler. False: not wanted.

        Raises:
            Rejected: an unknown major of a wanted type, or data that breaks its contract.
        """
        if self.skips(envelope.type_name):
            return False
        if not self._reaches(envelope.type_name):
            raise Rejected(f"unknown major version: {envelope.type_name} is not read by this release")
        try:
            decode(envelope)
        except (UnknownMajor, UnknownType) as error:
            raise Rejected(f"unknown type: {error}") from error
        except ValidationError as error:
            raise Rejected(f"data breaks the contract of {envelope.type_name}: {describe(error)}") from error
        return True

    def _reaches(self, type_name: str) -> bool:
        while type_name not in self._reads:
            if type_name not in UPCASTERS:
                return False
            stem, major = type_name.rsplit(".v", 1)
            type_name = f"{stem}.v{int(major) + 1}"
        return True


class Entry(NamedTuple):
    """One event in its turn. With an envelope: for the handler. With an error: to be parked. With neither: skipped.

    `sequence` is None for a message that carries no number; it counts for nothing but is kept.
    """

    message: Message
    stream_sequence: int
    message_id: str
    context: str
    sequence: int | None
    envelope: Envelope | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """An event that came before its turn: numbers between `applied` and `seen` are missing."""

    context: str
    applied: int
    seen: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch, sorted out. `end` is the checkpoint after it; `ahead` the first event that has to be read again.

    From there on the place in the stream stands still while other contexts go on, since everything after it is to be
    read a second time.
    """

    entries: Sequence[Entry]
    end: Checkpoint
    ahead: Ahead | None


def sort_out(
    selector: Selector, messages: Iterable[Message], start: Checkpoint, *, standing: bool, contiguous: bool = True
) -> Plan:
    """Sort a batch that follows `start`.

    `standing`: an earlier event is ahead already, the place does not move. `contiguous` False lets gaps pass, which
    only a planted bug does.
    """
    applied = dict(start.sequences)
    place, place_id = start.stream_sequence, start.message_id
    entries: list[Entry] = []
    ahead: Ahead | None = None
    for message in messages:
        stream_sequence, _ = places(message.reply)
        headers: Mapping[str, str] = message.headers or {}
        message_id = headers.get(MESSAGE_ID, "")
        context = message.subject.split(".", 3)[2]
        before = applied.get(context, 0)
        entry = _entry(selector, message, headers, stream_sequence, message_id, context, before, contiguous)
        if isinstance(entry, Ahead):
            standing = True
            ahead = ahead or entry
        elif entry is not None:
            entries.append(entry)
            if entry.sequence is not None:
                applied[context] = entry.sequence
        if not standing:
            place, place_id = stream_sequence, message_id
    return Plan(entries, Checkpoint(start.version, start.stream, place, place_id, applied), ahead)


def _entry(
    selector: Selector,
    message: Message,
    headers: Mapping[str, str],
    stream_sequence: int,
    message_id: str,
    context: str,
    applied: int,
    contiguous: bool,
) -> Entry | Ahead | None:
    early = selector.taken(message)
    found = _NUMBER.match(message.data)
    number = int(found.group(1)) if found else None
    if number is None:
        try:
            number = Envelope.from_json(message.data).sequence
        except InvalidEnvelope as error:
            return Entry(message, stream_sequence, message_id, context, None, error=str(error))
        if number is None:
            return Entry(message, stream_sequence, message_id, context, None, error="the event carries no number")
    if number <= applied:
        return None
    if number > applied + 1 and contiguous:
        return Ahead(context, applied, number)
    stated = headers.get(TYPE)
    if stated is not None and selector.skips(stated.removeprefix("opsledger.")):
        return Entry(message, stream_sequence, message_id, context, number)
    try:
        envelope = early or Envelope.from_json(message.data)
        if envelope.context != context:
            raise Rejected(f"source {envelope.source!r} does not belong to subject {message.subject!r}")
        wanted = selector.accept(envelope)
    except (InvalidEnvelope, Rejected) as error:
        return Entry(message, stream_sequence, message_id, context, number, error=str(error))
    return Entry(message, stream_sequence, message_id, context, number, envelope if wanted else None)


def attribute(data: bytes, name: str) -> str:
    """A text attribute of bytes that may not be an event at all; empty where there is none."""
    try:
        found = pydantic_core.from_json(data)
    except ValueError:
        return ""
    value = found.get(name) if isinstance(found, dict) else None
    return value.replace("\x00", "") if isinstance(value, str) else ""
