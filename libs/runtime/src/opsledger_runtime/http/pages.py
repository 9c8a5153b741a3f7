"""Pages by cursor: `{items, next}`, no offsets, no totals.

A cursor is the opaque position after the last item: base64url of a JSON list. It is a place in an order, not a
permission, so it is not signed; what is wrong in it is refused as Invalid.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from opsledger_runtime.errors import Invalid

T = TypeVar("T")

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
_MAX_CURSOR: Final = 2000
_MAX_INTEGER: Final = 2**63 - 1

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most, 1 to 200.")]
"""The `limit` parameter of a list; write `limit: Limit = DEFAULT_LIMIT`."""

Cursor = Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`next` of the page before.")]
"""The `cursor` parameter of a list; write `cursor: Cursor = None`."""


class Page(BaseModel, Generic[T]):
    """Some items of a list and where the list goes on; `next` is null on the last page."""

    items: list[T]
    next: str | None = None


def page_of(
    rows: Sequence[Any],
    limit: int,
    position: Callable[[Any], Sequence[Any]],
    item: Callable[[Any], T] = lambda row: row,
) -> Page[T]:
    """A page from rows that were selected with `limit + 1`: the row too many says that there is a next page.

    `position(row)` gives the values that the next page's `where (…) > (…)` compares with.
    """
    shown = rows[:limit]
    following = encode_cursor(position(shown[-1])) if len(rows) > limit else None
    return Page(items=[item(row) for row in shown], next=following)


def encode_cursor(values: Sequence[Any]) -> str:
    """An opaque text for a position: texts, integers, instants and ids."""
    given = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    plain = [str(value) if isinstance(value, UUID) else value for value in given]
    raw = json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(text: str, *kinds: type) -> list[Any]:
    """The values of a cursor.

    With `kinds` (any of str, int, datetime, UUID) there must be exactly as many values, of those kinds.

    Raises:
        Invalid: it is not a cursor of this list.
    """
    try:
        if len(text) > _MAX_CURSOR or not text.isascii():
            raise ValueError(text)
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw.decode())
        if not isinstance(values, list) or not all(_plain(value) for value in values):
            raise ValueError(text)
        if not kinds:
            return values
        return [_typed(value, kind) for value, kind in zip(values, kinds, strict=True)]
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error) as error:
        raise Invalid("The cursor is not one of this list. Begin again without it.", code="bad_cursor") from error


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        value.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
        return "\0" not in value
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


def _typed(value: Any, kind: type) -> Any:
    if kind is int:
        if not isinstance(value, int):
            raise ValueError(value)
        return value
    if not isinstance(value, str):
        raise ValueError(value)
    if kind is UUID:
        return UUID(value)
    if kind is datetime:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError(value)
        return instant
    return value


def version_after(cursor: str | None) -> int:
    """The aggregate version that a cursor of a list of events stands at; 0 without one.

    Raises:
        Invalid: it is no cursor of such a list.
    """
    after = 0 if cursor is None else decode_cursor(cursor, int)[0]
    if not 0 <= after < 2**31:
        raise Invalid("The cursor is not one of this list. Begin again without it.", code="bad_cursor")
    return int(after)
