"""Moving the domain clock of a running platform: from due instant to due instant, waiting at each for quiet (D10).

Knows the services only through their status reports. For tests and the demonstration; production has no movable clock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from opsledger_runtime.clock import OffsetClock, machine_time, monotonic, set_offset

Status = Mapping[str, Any]
Statuses = Callable[[], Awaitable[Sequence[Status]]]
"""Asks every running service for its status report."""

QUIET_POLLS: Final = 2
"""How many equal reports in a row mean that nothing is on its way any more."""


class NotQuiet(Exception):
    """Relays and subscriptions did not come to rest in time; the message says which."""


def busy_parts(statuses: Sequence[Status]) -> list[str]:
    """What is still at work, in words; empty when every relay and subscription has caught up."""
    found: list[str] = []
    published: dict[str, int] = {}
    for status in statuses:
        relay = status["relay"]
        published[status["context"]] = max(published.get(status["context"], 0), relay["published"] or 0)
        if relay["outbox"]:
            found.append(f"{status['context']}: {relay['outbox']} events not numbered")
        if relay["state"] == "leading" and relay["published"] != relay["numbered"]:
            found.append(f"{status['context']}: {relay['numbered'] - relay['published']} events not published")
    led = {status["context"] for status in statuses if status["relay"]["state"] == "leading"}
    found += [f"{context}: no relay leads" for context in published if context not in led]
    for status in statuses:
        for subscription in status["subscriptions"]:
            for context, no in subscription["sequences"].items():
                if context in published and no < published[context]:
                    found.append(
                        f"{status['context']}/{subscription['name']}: at {context} {no} of {published[context]}"
                    )
        now = datetime.fromisoformat(status["now"])
        due = [(timer["queue"], _instant(timer["next_due"])) for timer in status["timers"]]
        found += [f"{status['context']}: {queue} timer due {at} not fired" for queue, at in due if at and at <= now]
    return found


def next_due(statuses: Sequence[Status]) -> datetime | None:
    """The earliest instant at which any timer is due."""
    found = [_instant(timer["next_due"]) for status in statuses for timer in status["timers"]]
    return min((at for at in found if at is not None), default=None)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def quiet(statuses: Statuses, timeout: float = 30.0) -> Sequence[Status]:
    """Wait until nothing is on its way between the services.

    Raises:
        NotQuiet: something still was after `timeout` seconds.
    """
    deadline = monotonic() + timeout
    same, last = 0, None
    while True:
        reports = await statuses()
        busy = busy_parts(reports)
        mark = [(r["context"], r["relay"]["published"], r["subscriptions"], r["timers"]) for r in reports]
        same = same + 1 if not busy and mark == last else 0
        last = mark
        if same >= QUIET_POLLS:
            return reports
        if monotonic() > deadline:
            raise NotQuiet("; ".join(busy) or "the services keep announcing events")
        await asyncio.sleep(0.05)


async def move_clock(file: Path, target: datetime, statuses: Statuses, *, timeout: float = 30.0) -> None:
    """Move domain time forward to `target`, stopping at each due instant on the way until all is quiet."""
    clock = OffsetClock(file)
    reports = await quiet(statuses, timeout)
    while True:
        now, due = clock.now(), next_due(reports)
        if due is None or due > target:
            break
        if due > now:
            set_offset(file, due - machine_time() + timedelta(milliseconds=1))
        reports = await quiet(statuses, timeout)
    if target > clock.now():
        set_offset(file, target - machine_time())
    await quiet(statuses, timeout)
