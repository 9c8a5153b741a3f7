"""What an opaque id, a reason and a name look like, for whoever takes them in.

Owns the three rules and nothing that is named by them. Refuses surrounding space and control characters everywhere:
two ids that look the same are the same. The contracts themselves stay as wide as they were published.
"""

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field

OPAQUE_ID: Final = r"^[A-Za-z0-9._-]{1,64}$"
"""Teams, people, organisations, contacts, rules: ids of somebody else's, compared character by character."""

REASON: Final = r"^[a-z][a-z0-9_]{0,39}$"
"""Why work waits, for example `awaiting_requester`; agreements choose by it."""

NAME_LENGTH: Final = 200
"""Longest name, in characters."""

_OPAQUE_ID: Final = re.compile(OPAQUE_ID[1:-1])
_REASON: Final = re.compile(REASON[1:-1])
_BREAKING: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_INVISIBLE: Final = _BREAKING | {"Zs", "Cf"}


def is_opaque_id(text: str) -> bool:
    """Whether `text` is an opaque id."""
    return _OPAQUE_ID.fullmatch(text) is not None


def is_reason(text: str) -> bool:
    """Whether `text` is a reason."""
    return _REASON.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether `text` is one visible line of at most 200 characters, with no space around it."""
    if text.isascii():  # where printable and visible are known without asking for each character
        return 0 < len(text) <= NAME_LENGTH and text.isprintable() and text == text.strip()
    kinds = {unicodedata.category(character) for character in text}
    return len(text) <= NAME_LENGTH and text == text.strip() and not kinds & _BREAKING and not kinds <= _INVISIBLE


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("Write one visible line without surrounding space or control characters.")
    return text


OpaqueId = Annotated[str, Field(pattern=OPAQUE_ID)]
"""A field that holds an opaque id."""

Reason = Annotated[str, Field(pattern=REASON)]
"""A field that holds a reason."""

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH), AfterValidator(_name)]
"""A field that names a service, an item or a category in words or as a monitoring system does: `db-01:9100`."""
