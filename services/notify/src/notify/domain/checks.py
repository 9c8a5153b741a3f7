"""What a name, a key or a mail address must look like. Pure; refuses whatever could leave its line in a mail header."""

import re
from typing import Final

from opsledger_events.names import OPAQUE_ID, is_opaque_id
from opsledger_runtime.errors import FieldError, Invalid

KEY_PATTERN: Final = OPAQUE_ID
"""Contact ids, team keys, rule keys and template keys: opaque, chosen by the client."""

NAME_LENGTH: Final = 200
"""Longest display name, in characters."""

CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Characters that break a line or cannot be encoded. Wide spaces and joiners are text and stay."""

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ADDRESS_LENGTH: Final = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
_LOCAL_LENGTH: Final = 64  # RFC 5321 4.5.3.1.1


def is_key(text: str) -> bool:
    """Whether `text` is a valid id or key."""
    return is_opaque_id(text)


def check_key(text: str, pointer: str) -> str:
    """The key itself.

    Raises:
        Invalid: other characters than letters, digits, dot, underscore and hyphen, or none, or more than 64.
    """
    if not is_key(text):
        raise Invalid(
            "A key has 1 to 64 letters, digits, dots, underscores or hyphens.",
            [FieldError(pointer, "use only A-Z a-z 0-9 . _ - and at most 64 of them")],
        )
    return text


def check_name(text: str, pointer: str) -> str:
    """The display name without surrounding space.

    Raises:
        Invalid: empty, longer than 200 characters, or with control characters or line breaks.
    """
    name = text.strip()
    if not name or len(name) > NAME_LENGTH or CONTROLS.search(name):
        raise Invalid(
            "A name is one line of 1 to 200 characters without line breaks.",
            [FieldError(pointer, "remove line breaks and control characters; at most 200 characters")],
        )
    return name


def check_email(text: str, pointer: str) -> str:
    """The address of one mailbox: an RFC 5321 dot-string at a domain of at least two labels.

    Quoted local parts, address literals and non-ASCII addresses are refused: hardly any mailbox has one, and each has
    been a way to smuggle a second recipient. A domain of another script is written in its ASCII form (`xn--…`).

    Raises:
        Invalid: it is no such address.
    """
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    good = (
        bool(at)
        and len(text) <= _ADDRESS_LENGTH
        and len(local) <= _LOCAL_LENGTH
        and _LOCAL.fullmatch(local) is not None
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )
    if not good:
        raise Invalid(
            "This is not a mail address.", [FieldError(pointer, "write it as name@example.com, in ASCII characters")]
        )
    return text
