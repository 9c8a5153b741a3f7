"""W3C Trace Context: the caller's trace goes on, or a new one begins. Refuses malformed headers by ignoring them."""

import re
from typing import Final, NamedTuple

from opsledger_runtime import ids

_HEADER: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class Trace(NamedTuple):
    """The trace, and this request's own span in it; lower-case hex."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def traceparent(self) -> str:
        """The header to hand on."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def continue_trace(header: str | None) -> Trace:
    """The trace of a `traceparent` header with a new span; a fresh trace where there is none that can be read."""
    span = ids.salt()[:8].hex()
    match = _HEADER.fullmatch(header) if header is not None and len(header) <= 512 else None
    if match is None or int(match[1], 16) == 0 or int(match[2], 16) == 0:
        return Trace(ids.salt().hex(), span, "01")
    return Trace(match[1], span, match[3])
