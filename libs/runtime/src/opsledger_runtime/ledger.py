"""Canonical bytes, digests and the hash chain (D11). Pure.

The digest covers a salted digest of `data` instead of `data`: blanking a marked field and destroying the salt leaves
every digest and the chain verifiable.
"""

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pydantic_core
import rfc8785

from opsledger_events.envelope import MAX_BYTES, SEQUENCE_DIGITS, Envelope
from opsledger_runtime.errors import Invalid

GENESIS: Final = bytes(32)
"""The hash before the first publication."""

_EXACT: Final = 2**53 - 1
_TEXT: Final = frozenset({str})
_SIMPLE: Final = frozenset({str, bool, type(None)})

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # an escaped NUL, not the text of an escape


class Sealed(NamedTuple):
    """What is stored of an event: RFC 8785 bytes without a number, the salt, and the digest."""

    body: bytes
    salt: bytes
    digest: bytes


class _NotPlain(Exception):
    """Something that must go the long way."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    pydantic's encoder writes the same bytes many times as fast once keys are in order, except for floats; they go the
    long way, and so do keys that are not ASCII, since RFC 8785 sorts by UTF-16 units.

    Raises:
        rfc8785.CanonicalizationError: a number that JSON cannot carry exactly, or something that is no JSON.
        UnicodeEncodeError: a lone surrogate.
    """
    try:
        return pydantic_core.to_json(_in_order(value))
    except (_NotPlain, pydantic_core.PydanticSerializationError):
        return rfc8785.dumps(value)


def _in_order(value: Any) -> Any:
    """The value with its keys in order.

    Raises:
        _NotPlain: it holds something that RFC 8785 writes in a way of its own, or not at all.
    """
    kind = type(value)
    if kind is dict:
        names = _names(tuple(value))
        found = [value[name] for name in names]
        if not _SIMPLE.issuperset(map(type, found)):
            found = [
                inner
                if (inner_kind := type(inner)) in _SIMPLE or (inner_kind is int and -_EXACT <= inner <= _EXACT)
                else _in_order(inner)
                for inner in found
            ]
        return dict(zip(names, found, strict=True))
    if kind is list:
        return [inner if type(inner) in _SIMPLE else _in_order(inner) for inner in value]
    if kind in _SIMPLE or (kind is int and -_EXACT <= value <= _EXACT):
        return value
    raise _NotPlain


@lru_cache(maxsize=1024)
def _names(told: tuple[Any, ...]) -> tuple[str, ...]:
    """The keys of an object in order; events of one type mostly have the same."""
    if not _TEXT.issuperset(map(type, told)) or not "".join(told).isascii():
        raise _NotPlain
    return tuple(sorted(told))


def seal(envelope: Envelope, salt: bytes) -> Sealed:
    """Canonical bytes and digest of an event that has no number yet.

    Raises:
        Invalid: NUL or a lone surrogate, a number that JSON cannot carry exactly, or more than 256 KiB.
    """
    if envelope.sequence is not None:
        envelope = replace(envelope, sequence=None)
    try:
        data = canonical(envelope.data)
        stands = _salted(data, salt)
        covered = envelope.standing_for(stands)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, pydantic_core.PydanticSerializationError) as error:
        raise Invalid(
            "The text holds characters or numbers that cannot be stored exactly.", code="not_storable"
        ) from error
    # Nobody can write the salted digest into another attribute, so it stands in one place.
    body = covered.replace(b'"%s"' % stands.encode(), data, 1)
    if b"\\u0000" in body and _NUL.search(body):
        raise Invalid("The text holds a NUL character. Remove it.", code="nul_character")
    if len(body) > MAX_BYTES:
        raise Invalid(f"The event has {len(body)} bytes; at most {MAX_BYTES} are kept.", code="too_large")
    return Sealed(body, salt, hashlib.sha256(covered).digest())


def digest_of(body: bytes, salt: bytes) -> bytes:
    """The digest that stored bytes should have."""
    attributes = pydantic_core.from_json(body)
    attributes.pop("sequence", None)
    attributes["data"] = _salted(canonical(attributes["data"]), salt)
    return hashlib.sha256(canonical(attributes)).digest()


def _salted(data: bytes, salt: bytes) -> str:
    """The text that stands for the data in what the digest covers."""
    return hashlib.sha256(salt + data).hexdigest()


def chain(previous: bytes, no: int, digest: bytes) -> bytes:
    """The hash of publication `no`."""
    return hashlib.sha256(previous + no.to_bytes(8) + digest).digest()


def wire(body: bytes, no: int) -> bytes:
    """The stored bytes with their publication number, as they go on the bus."""
    return b'{"sequence":"%0*d",' % (SEQUENCE_DIGITS, no) + body[1:]
