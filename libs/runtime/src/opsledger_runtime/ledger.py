"""Canonical bytes, digests and the hash chain (D11). Pure.

The digest covers a salted digest of `data` instead of `data`: blanking a marked field and destroying the salt leaves
every digest and the chain verifiable.
"""

import hashlib
import re
from operator import itemgetter
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
_KEY: Final = itemgetter(0)

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
        if not _TEXT.issuperset(map(type, value)) or not "".join(value).isascii():
            raise _NotPlain
        found = dict(sorted(value.items(), key=_KEY))
        for key, inner in value.items():
            if type(inner) not in _SIMPLE:
                found[key] = _in_order(inner)
        return found
    if kind is list:
        return [inner if type(inner) in _SIMPLE else _in_order(inner) for inner in value]
    if kind in _SIMPLE or (kind is int and -_EXACT <= value <= _EXACT):
        return value
    raise _NotPlain


def _parts(attributes: dict[str, Any], salt: bytes) -> tuple[bytes, bytes, bytes]:
    """The data, the salted digest that stands for it as JSON, and all of the event with that in its place."""
    data = canonical(attributes["data"])
    stands = hashlib.sha256(salt + data).hexdigest()
    return data, b'"%s"' % stands.encode(), canonical({**attributes, "data": stands})


def seal(envelope: Envelope, salt: bytes) -> Sealed:
    """Canonical bytes and digest of an event that has no number yet.

    Raises:
        Invalid: NUL or a lone surrogate, a number that JSON cannot carry exactly, or more than 256 KiB.
    """
    attributes = envelope.attributes()
    attributes.pop("sequence", None)
    try:
        data, stands, covered = _parts(attributes, salt)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise Invalid(
            "The text holds characters or numbers that cannot be stored exactly.", code="not_storable"
        ) from error
    # Nobody can write the salted digest into another attribute, so it stands in one place.
    body = covered.replace(b'"data":' + stands, b'"data":' + data, 1)
    if b"\\u0000" in body and _NUL.search(body):
        raise Invalid("The text holds a NUL character. Remove it.", code="nul_character")
    if len(body) > MAX_BYTES:
        raise Invalid(f"The event has {len(body)} bytes; at most {MAX_BYTES} are kept.", code="too_large")
    return Sealed(body, salt, hashlib.sha256(covered).digest())


def digest_of(body: bytes, salt: bytes) -> bytes:
    """The digest that stored bytes should have."""
    attributes = pydantic_core.from_json(body)
    attributes.pop("sequence", None)
    return hashlib.sha256(_parts(attributes, salt)[2]).digest()


def chain(previous: bytes, no: int, digest: bytes) -> bytes:
    """The hash of publication `no`."""
    return hashlib.sha256(previous + no.to_bytes(8) + digest).digest()


def wire(body: bytes, no: int) -> bytes:
    """The stored bytes with their publication number, as they go on the bus."""
    return b'{"sequence":"%0*d",' % (SEQUENCE_DIGITS, no) + body[1:]
