"""Reading one's own writes: the `Opsledger-Position` token and the `wait` preference (RFC 7240).

A write answers `Opsledger-Position: <context>:<no>`, or `<context>:pending` where its number is not known yet;
`Prefer: wait=<seconds>` makes it wait for the number. A GET may send positions back, several separated by commas, and
is answered when this service's subscriptions have applied them, at the latest after two seconds and then with the
header `Opsledger-Position-Behind: true`. `pending` is not waited for.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from opsledger_runtime.http.problems import Problem

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

POSITION: Final = "Opsledger-Position"
BEHIND: Final = "Opsledger-Position-Behind"
READ_WAIT_SECONDS: Final = 2.0
MAX_WRITE_WAIT_SECONDS: Final = 10.0

_POSITION: Final = re.compile(r"([a-z][a-z0-9_]{0,62}):([0-9]{1,18}|pending)")
_WAIT: Final = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)


def parse_positions(header: str) -> dict[str, int]:
    """The positions to wait for, by context; `pending` ones are left out.

    Raises:
        Problem: 400, the header is malformed.
    """
    wanted: dict[str, int] = {}
    for part in header.split(","):
        match = _POSITION.fullmatch(part.strip())
        if match is None:
            raise Problem("bad_position")
        if match[2] != "pending":
            wanted[match[1]] = max(wanted.get(match[1], 0), int(match[2]))
    return wanted


def preferred_wait(header: str | None) -> float | None:
    """Seconds of `wait` in a Prefer header, at most 10; what cannot be read is ignored, as RFC 7240 says."""
    for part in (header or "").split(","):
        match = _WAIT.fullmatch(part)
        if match is not None:
            return min(float(match[1]), MAX_WRITE_WAIT_SECONDS)
    return None


async def wait_until_applied(running: "Running", wanted: dict[str, int]) -> bool:
    """Wait until this service's subscriptions have applied the positions; False where that took too long.

    Its own inline read models are always current, so of its own context only its own subscriptions are waited for.
    """
    from opsledger_runtime.subscriptions import wait_applied

    async def one(context: str, no: int) -> bool:
        readers = [found.name for found in running.service.subscriptions if context in found.contexts]
        return not readers or await wait_applied(running.pool, readers, context, no, READ_WAIT_SECONDS)

    return all(await asyncio.gather(*(one(context, no) for context, no in wanted.items())))


async def written_position(running: "Running", event: UUID, wait: float | None) -> str:
    """The position of a write, by its last event."""
    number = await running.relay.number_of(event, wait) if wait is not None else None
    return f"{running.context}:{'pending' if number is None else number}"
