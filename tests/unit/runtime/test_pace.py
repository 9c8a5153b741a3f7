"""A worker rests in proportion to what its last turn took, within limits, and never after a rest that is over."""

import asyncio

import pytest

from opsledger_runtime import pace as module
from opsledger_runtime.pace import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "monotonic", found)
    return found


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 0.01), (0.001, 0.01), (0.005, 0.02), (0.02, 0.05), (3.0, 0.05)])
def test_the_way_to_the_next_turn_follows_the_last_one(clock: Clock, took: float, seconds: float) -> None:
    pace = Pace(0.01, 0.05)
    pace.begin()
    clock.now += took
    pace.end()
    assert pace.seconds == pytest.approx(seconds)


async def test_what_comes_after_the_rest_is_not_delayed(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = Pace(0.01, 0.05)
    await pace.rest()  # before the first turn
    pace.begin()
    pace.end()
    clock.now += 0.004
    await pace.rest()
    clock.now += 0.006
    await pace.rest()
    assert slept == [pytest.approx(0.006)]
