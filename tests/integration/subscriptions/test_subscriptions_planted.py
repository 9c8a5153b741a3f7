"""Planted bugs do what they are there for: break one promise each, in a way that the evidence shows."""

import pytest
from tests.support.bus import NOTED, Tally, a_bus, a_store, subscribed, subscription, tallied
from tests.support.waiting import eventually

from opsledger_runtime.store import EventStore
from opsledger_runtime.subscriptions import wait_applied


def _plant(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    for module in ("batches", "subscriber"):
        monkeypatch.setattr(f"opsledger_runtime.subscriptions.{module}.planted", lambda name: name == bug)


async def test_a_checkpoint_outside_the_transaction_loses_what_failed(
    database: str, fresh_nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant(monkeypatch, "checkpoint-outside-transaction")
    tally = Tally()
    found = subscription(tally)
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus:
        unlucky = bus.make(NOTED, "a")
        tally.failing[str(unlucky.id)] = ConnectionResetError()
        await bus.publish(unlucky)
        async with subscribed(fresh_nats, store, found):
            assert await wait_applied(store.pool, ["tally"], "incident", 1, 20)
            await bus.noted(3)
            await eventually(lambda: _left(store, [2, 3, 4]))


async def _left(store: EventStore, wanted: list[int]) -> bool:
    return await tallied(store) == wanted


async def test_the_stock_loop_does_not_see_a_gap(
    database: str, fresh_nats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant(monkeypatch, "stock-batch-loop")
    found = subscription(Tally())
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        notes = [bus.make(NOTED, "a") for _ in range(6)]
        await bus.publish(*notes[:2], *notes[4:])

        async def beyond() -> bool:
            await bus.noted(1)  # this loop also loses events at will, so that one more may be needed
            return max(await tallied(store), default=0) > 4

        await eventually(beyond, every=0.2)
        assert not {3, 4} & set(await tallied(store))
