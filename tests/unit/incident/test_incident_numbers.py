"""Numbers are drawn ahead while it is busy, and never twice."""

import pytest

from incident import numbers
from incident.numbers import Numbers


class Sequence:
    """A connection to a database with nothing but a sequence."""

    def __init__(self) -> None:
        self.no = 0
        self.asked: list[int] = []

    async def fetch(self, _: str, count: int) -> list[dict[str, int]]:
        self.asked.append(count)
        self.no += count
        return [{"no": self.no - count + n + 1} for n in range(count)]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(numbers, "monotonic", lambda: now[0])
    return now


async def test_in_quiet_hours_nothing_is_drawn_ahead(time: list[float]) -> None:
    sequence, drawing = Sequence(), Numbers()
    for _ in range(5):
        await drawing.draw(sequence)
        time[0] += 1.0
    assert sequence.asked == [1] * 5


async def test_the_busier_it_is_the_more_are_drawn_at_once_in_order_and_within_a_bound(time: list[float]) -> None:
    sequence, drawing = Sequence(), Numbers()
    drawn = [await drawing.draw(sequence) for _ in range(200)]
    assert drawn == [f"INC{n + 1:07d}" for n in range(200)]
    assert sequence.asked[:6] == [1, 2, 4, 8, 16, 32]
    assert max(sequence.asked) == 32
    busy = len(sequence.asked)
    time[0] += 1.0
    while len(sequence.asked) == busy:
        await drawing.draw(sequence)
    assert sequence.asked[busy] == 1, "it is quiet again"
