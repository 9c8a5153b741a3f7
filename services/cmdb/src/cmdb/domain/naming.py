"""What a key and an identifier look like. A key stands in addresses and lists, so it holds nothing that parts those."""

import re
import unicodedata
from typing import Final

from opsledger_events.names import is_name

KEY_LENGTH: Final = 100
IDENTIFIER_KIND: Final = r"^[a-z][a-z0-9_.:-]{0,63}$"
MOST_IDENTIFIERS: Final = 50
_KIND: Final = re.compile(IDENTIFIER_KIND[1:-1])
_PARTING: Final = re.compile(r"[\s/\\;?#%\"<>]")
_LIKE_AN_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

KEY_RULE: Final = (
    f'Write a key of at most {KEY_LENGTH} characters without spaces and without any of / \\ ; ? # % " < >; it must not'
    " look like an id."
)


def tidy(text: str) -> str:
    """A key as it is kept: full-width letters as plain ones, nothing around it."""
    return unicodedata.normalize("NFKC", text).strip()


def is_key(text: str) -> bool:
    """Whether a tidy text can be a key."""
    return len(text) <= KEY_LENGTH and is_name(text) and not _PARTING.search(text) and not _LIKE_AN_ID.fullmatch(text)


def is_identifier_kind(text: str) -> bool:
    """Whether it can be the kind of an identifier."""
    return _KIND.fullmatch(text) is not None
