"""What is known of how far contexts are read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opsledger_runtime.caught_up import Applied, CaughtUp
from opsledger_runtime.clock import monotonic

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Word:
    time: datetime
    last: int
    heard: float


class Words:
    def of(self, context: str) -> Word | None:
        return Word(NOON, 5, monotonic())


async def test_a_context_with_a_parked_event_is_read_but_not_for_sure() -> None:
    parked: set[str] = set()

    async def applied() -> Applied:
        return Applied({"incident": 5, "notify": 5}, frozenset(parked))

    caught_up = CaughtUp(Words(), applied, 300.0)
    due = NOON - timedelta(seconds=1)
    assert not (await caught_up.look(["incident", "notify"])).provisional(["incident"], due)
    parked.add("incident")
    horizon = await caught_up.look(["incident", "notify"])
    assert horizon.until(["incident"], NOON) == NOON, "it holds nothing up"
    assert horizon.provisional(["incident", "notify"], due)
    assert not horizon.provisional(["notify"], due)
    parked.clear()
    assert not (await caught_up.look(["incident"])).provisional(["incident"], due)
