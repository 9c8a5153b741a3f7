"""In processes of their own: hearing events outside the services, and publishing bare messages at a rate."""

import asyncio

import nats
import pydantic_core
from nats.aio.msg import Msg

from opsledger_events.subjects import ALL_EVENTS, event_subject
from opsledger_runtime import ids
from opsledger_runtime.clock import machine_time, monotonic

_TYPE = "opsledger.bench.Published.v1"
_BYTES = 1_100  # as an IncidentOpened with its envelope
_PATIENCE_SECONDS = 60.0


async def watch(url: str, user: str, password: str, name: str, count: int) -> dict[str, float]:
    """The arrival of so many events of a name, or of as many as come within a minute, by event id."""
    client = await nats.connect(url, user=user, password=password)
    heard: list[tuple[float, bytes]] = []
    done = asyncio.Event()

    async def hear(message: Msg) -> None:
        now = machine_time().timestamp()
        if message.subject.split(".")[3] == name:
            heard.append((now, message.data))
            if len(heard) >= count:
                done.set()

    await client.subscribe(ALL_EVENTS, cb=hear, pending_msgs_limit=0, pending_bytes_limit=0)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await done.wait()
    except TimeoutError:
        pass  # whoever asked compares with what was accepted
    await client.close()
    return {pydantic_core.from_json(data)["id"]: at for at, data in heard}


async def publish_and_receive(url: str, user: str, password: str, rate: float, seconds: float) -> list[float]:
    """Milliseconds from before each publish to its receipt on another connection."""
    sender = await nats.connect(url, user=user, password=password)
    receiver = await nats.connect(url, user=user, password=password)
    subject = event_subject(_TYPE, "bench")
    sent: dict[str, float] = {}
    latencies: list[float] = []

    async def hear(message: Msg) -> None:
        latencies.append((monotonic() - sent[(message.headers or {})["Nats-Msg-Id"]]) * 1000)

    await receiver.subscribe(subject, cb=hear)
    await receiver.flush()
    js = sender.jetstream()
    begun, count = monotonic(), round(rate * seconds)
    under_way: set[asyncio.Task[object]] = set()
    for number in range(count):
        await asyncio.sleep(begun + number / rate - monotonic())
        message_id = str(ids.new_id())
        sent[message_id] = monotonic()
        task: asyncio.Task[object] = asyncio.create_task(
            js.publish(subject, bytes(_BYTES), headers={"Nats-Msg-Id": message_id})
        )
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while len(latencies) < count:  # noqa: ASYNC110 - the last ones are a moment behind their answers
            await asyncio.sleep(0.01)
    await sender.close()
    await receiver.close()
    return latencies
