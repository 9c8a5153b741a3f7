"""What `opsledger_runtime.subscriptions` rests on in FastStream and nats-py, and the faults it works around.

A failing test here after an upgrade means: read `subscriptions/delivery.py` again before believing in exactness. Tests
named `…_still_…` hold a fault of upstream; when one fails, the workaround may have become unnecessary.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import nats
from faststream import AckPolicy, Context
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.message import NatsBatchMessage
from nats.js import JetStreamContext
from nats.js.api import AckPolicy as NatsAckPolicy
from nats.js.api import ConsumerConfig
from tests.support.waiting import eventually

STREAM = "CONTRACT"


@asynccontextmanager
async def _bus(url: str) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(url)
    js = client.jetstream()
    await js.add_stream(name=STREAM, subjects=["contract.>"])
    try:
        yield js
    finally:
        await js.delete_stream(STREAM)
        await client.close()


@asynccontextmanager
async def _broker(url: str) -> AsyncIterator[NatsBroker]:
    broker = NatsBroker(url, logger=None, graceful_timeout=60.0)
    await broker.connect()
    try:
        yield broker
    finally:
        await broker.stop()


async def _consumer(js: JetStreamContext, name: str, ack: NatsAckPolicy = NatsAckPolicy.ALL) -> None:
    await js.add_consumer(STREAM, ConsumerConfig(name=name, durable_name=name, ack_policy=ack, ack_wait=30))


async def _raw(message: NatsBatchMessage) -> list[Any]:
    return list(message.body)


def _subscriber(
    broker: NatsBroker,
    durable: str,
    *,
    ack: AckPolicy = AckPolicy.MANUAL,
    timeout: float = 0.2,
    config: ConsumerConfig | None = None,
) -> Any:
    subscribe: Any = broker.subscriber
    return subscribe(
        "contract.>",
        stream=JStream(STREAM, declare=False),
        durable=durable,
        config=config,
        pull_sub=PullSub(batch_size=100, timeout=timeout, batch=True),
        ack_policy=ack,
        decoder=_raw,
    )


async def _publish(js: JetStreamContext, first: int, last: int, every: float = 0.0) -> None:
    for number in range(first, last + 1):
        await js.publish("contract.x", str(number).encode())
        if every:
            await asyncio.sleep(every)


def _idle(js: JetStreamContext, durable: str, last: int) -> Callable[[], Awaitable[bool]]:
    async def idle() -> bool:
        info = await js.consumer_info(STREAM, durable)
        return info.ack_floor is not None and info.ack_floor.stream_seq == last

    return idle


def test_exactly_these_releases_were_examined() -> None:
    assert version("faststream") == "0.7.8"
    assert version("nats-py") == "2.16.0"


async def test_start_runs_the_loop_of_the_instance_and_starts_again_after_a_stop(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "loop")
        subscriber = _subscriber(broker, "loop")
        ran: list[int] = []

        async def instead() -> None:
            ran.append(1)

        subscriber._consume_pull = instead
        subscriber(_nothing)
        for times in (1, 2):
            await subscriber.start()
            await asyncio.gather(*subscriber.tasks)
            assert len(ran) == times
            assert subscriber.running
            assert subscriber.subscription is not None
            await subscriber.stop()
            assert not subscriber.running
            assert subscriber.subscription is None


async def _nothing(body: list[Any]) -> None:
    """A handler that does nothing."""


async def test_a_pull_subscription_shows_its_queue_its_request_subject_and_its_inbox(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "private")
        subscriber = _subscriber(broker, "private")
        subscriber._consume_pull = _never
        subscriber(_nothing)
        await subscriber.start()
        subscription = subscriber.subscription
        assert subscription._nms == f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.private"
        assert subscription._deliver.startswith("_INBOX.")
        assert isinstance(subscription._sub._pending_queue, asyncio.Queue)
        assert subscription._sub._pending_size == 0
        await _publish(js, 1, 2)
        await subscriber.connection.publish(
            subscription._nms, b'{"batch":10,"expires":5000000000}', subscription._deliver
        )
        message = await subscription._sub.next_msg(timeout=5)
        assert message.data == b"1"
        assert (message.metadata.sequence.stream, message.metadata.sequence.consumer) == (1, 1)
        assert "reconnects" in subscriber.connection.stats
        await subscriber.stop()


async def _never() -> None:
    """A loop that ends at once."""


async def test_consume_hands_over_raw_bytes_swallows_a_failure_and_leaves_acknowledging_to_us(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "manual")
        subscriber = _subscriber(broker, "manual")
        subscriber._consume_pull = _never
        got: list[list[bytes]] = []

        async def handle(body: list[Any], message: NatsBatchMessage = Context("message")) -> None:  # noqa: B008
            got.append(body)
            if len(got) == 1:
                raise ValueError("swallowed")
            await message.raw_message[-1].ack()

        subscriber(handle)
        await subscriber.start()
        await js.publish("contract.x", b"\xff not json")
        batch = await subscriber.subscription.fetch(1, timeout=5)
        await subscriber.consume(batch)
        assert got == [[b"\xff not json"]]
        assert not batch[0]._ackd
        assert not batch[0].is_acked
        await subscriber.consume(batch)
        assert batch[0]._ackd
        await eventually(_idle(js, "manual", 1))
        await subscriber.stop()


async def test_reset_consumer_rewinds_and_counts_the_consumer_sequence_from_one(nats_url: str) -> None:
    async with _bus(nats_url) as js:
        await _consumer(js, "reset")
        await _publish(js, 1, 10)
        subscription = await js.pull_subscribe_bind("reset", STREAM)
        first = await subscription.fetch(10, timeout=5)
        await first[-1].ack()
        await eventually(_idle(js, "reset", 10))
        await js.reset_consumer(STREAM, "reset", seq=4)
        again = await subscription.fetch(10, timeout=5)
        places = [(m.metadata.sequence.stream, m.metadata.sequence.consumer) for m in again]
        assert places == [(4 + n, 1 + n) for n in range(7)]


async def test_an_acknowledgement_of_all_still_loses_what_a_crashed_instance_had_fetched(nats_url: str) -> None:
    async with _bus(nats_url) as js:
        await _consumer(js, "trap")
        await _publish(js, 1, 300)
        crashed = await js.pull_subscribe_bind("trap", STREAM)
        assert len(await crashed.fetch(100, timeout=5)) == 100  # and dies without having handled them
        successor = await js.pull_subscribe_bind("trap", STREAM)
        seen: list[int] = []
        while len(seen) < 200:
            batch = await successor.fetch(100, timeout=5)
            seen += [int(m.data) for m in batch]
            await batch[-1].ack()
        assert seen == list(range(101, 301))
        await eventually(_idle(js, "trap", 300))
        # 1 to 100 were never handled and never come again, unless the consumer is set to the checkpoint:
        await js.reset_consumer(STREAM, "trap", seq=1)
        assert (await successor.fetch(1, timeout=5))[0].data == b"1"


async def test_the_stock_batch_loop_still_loses_messages_of_partial_batches(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "stock")
        seen: list[int] = []
        subscriber = _subscriber(broker, "stock", ack=AckPolicy.ACK, timeout=0.02)

        async def handle(body: list[Any]) -> None:
            seen.extend(int(one) for one in body)

        subscriber(handle)
        await subscriber.start()
        lost: set[int] = set()
        last = 0
        for _ in range(20):
            await _publish(js, last + 1, last + 300, every=0.001)
            last += 300
            info = await js.consumer_info(STREAM, "stock")
            lost = set(range(1, info.ack_floor.stream_seq + 1 if info.ack_floor else 1)) - set(seen)
            if lost:
                break
        await subscriber.stop()
        assert lost, "acknowledged and never handled: upstream may have repaired its loop"


async def test_pull_subscribe_still_leaves_a_drifted_consumer_as_it_is(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "drift")
        wanted = ConsumerConfig(ack_policy=NatsAckPolicy.ALL, ack_wait=77)
        subscriber = _subscriber(broker, "drift", config=wanted)
        subscriber._consume_pull = _never
        subscriber(_nothing)
        await subscriber.start()
        assert (await js.consumer_info(STREAM, "drift")).config.ack_wait == 30
        await subscriber.stop()


async def test_stop_waits_for_the_running_handler(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "stop")
        entered, go_on = asyncio.Event(), asyncio.Event()
        finished: list[bool] = []
        subscriber = _subscriber(broker, "stop")

        async def handle(body: list[Any], message: NatsBatchMessage = Context("message")) -> None:  # noqa: B008
            entered.set()
            await go_on.wait()
            await message.raw_message[-1].ack()
            finished.append(True)

        subscriber(handle)
        await subscriber.start()
        await _publish(js, 1, 3)
        await asyncio.wait_for(entered.wait(), 60)
        stopping = asyncio.create_task(subscriber.stop())
        done, _ = await asyncio.wait({stopping}, timeout=0.2)
        assert not done
        go_on.set()
        await asyncio.wait_for(stopping, 60)
        assert finished == [True]


async def test_cancelling_consume_cancels_the_handler(nats_url: str) -> None:
    async with _bus(nats_url) as js, _broker(nats_url) as broker:
        await _consumer(js, "cancel")
        subscriber = _subscriber(broker, "cancel")
        subscriber._consume_pull = _never
        entered = asyncio.Event()
        cancelled: list[bool] = []

        async def handle(body: list[Any]) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        subscriber(handle)
        await subscriber.start()
        await _publish(js, 1, 1)
        task = asyncio.create_task(subscriber.consume(await subscriber.subscription.fetch(1, timeout=5)))
        await asyncio.wait_for(entered.wait(), 60)
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError)
        assert cancelled == [True]
        await subscriber.stop()
