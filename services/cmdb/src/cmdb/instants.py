"""Instants as queries name them: RFC 3339 with an offset, a naive one is refused."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from opsledger_events.envelope import parse_instant

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998


def _instant(value: Any) -> Any:
    # A plus that was not percent-encoded arrives as a blank.
    text = _LOST_PLUS.sub("+", value) if isinstance(value, str) else ""
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("Give an RFC 3339 instant with an offset, for example 2026-11-22T08:30:00+08:00.")
    if not _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR:
        raise ValueError(f"Give an instant between the years {_FIRST_YEAR} and {_LAST_YEAR}.")
    return parse_instant(text.upper())


QueryInstant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
