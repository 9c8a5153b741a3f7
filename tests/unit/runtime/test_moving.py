"""Moving the clock stops at every due instant and waits for quiet."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsledger_runtime.clock import OffsetClock
from opsledger_runtime.moving import NotQuiet, busy_parts, move_clock, quiet


class Fake:
    """A platform of one service whose timers fire as soon as they are due."""

    def __init__(self, clock: OffsetClock, due: list[datetime]) -> None:
        self.clock = clock
        self.due = sorted(due)
        self.fired_at: list[datetime] = []

    async def statuses(self) -> list[dict[str, Any]]:
        now = self.clock.now()
        while self.due and self.due[0] <= now:
            self.due.pop(0)
            self.fired_at.append(now)
        return [report(now=now, next_due=self.due[0] if self.due else None)]


def report(
    *, now: datetime, next_due: datetime | None = None, published: int = 3, applied: int = 3, outbox: int = 0
) -> dict[str, Any]:
    return {
        "context": "c",
        "now": now.isoformat(),
        "relay": {"state": "leading", "numbered": 3, "published": published, "outbox": outbox},
        "subscriptions": [{"name": "s", "sequences": {"c": applied}}],
        "timers": [{"queue": "q", "count": 1, "next_due": next_due.isoformat() if next_due else None}],
    }


async def test_each_due_instant_is_a_stop(tmp_path: Path) -> None:
    clock = OffsetClock(tmp_path / "clock.json")
    start = clock.now()
    due = [start + timedelta(hours=hours) for hours in (1, 2, 3, 9)]
    fake = Fake(clock, due)
    await move_clock(tmp_path / "clock.json", start + timedelta(hours=4), fake.statuses)
    assert len(fake.fired_at) == 3
    for planned, fired in zip(due, fake.fired_at, strict=False):
        assert timedelta(0) <= fired - planned < timedelta(seconds=5)
    assert clock.now() - start >= timedelta(hours=4)
    assert fake.due == due[3:]


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"outbox": 2}, "not numbered"), ({"published": 2, "applied": 2}, "not published"), ({"applied": 1}, "1 of 3")],
)
async def test_what_is_still_under_way_is_named(tmp_path: Path, changed: dict[str, int], word: str) -> None:
    now = OffsetClock(tmp_path / "clock.json").now()
    assert word in busy_parts([report(now=now, **changed)])[0]

    async def statuses() -> list[dict[str, Any]]:
        return [report(now=now, **changed)]

    with pytest.raises(NotQuiet, match=word):
        await quiet(statuses, timeout=0.1)


def test_a_due_timer_that_has_not_fired_is_not_quiet(tmp_path: Path) -> None:
    now = OffsetClock(tmp_path / "clock.json").now()
    assert "not fired" in busy_parts([report(now=now, next_due=now)])[0]
