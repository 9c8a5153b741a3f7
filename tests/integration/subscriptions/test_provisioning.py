"""Provisioning makes what is missing, sets right what drifted, and leaves alone what is as it should be."""

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, StreamConfig
from tests.support.bus import Tally, a_bus, a_store, subscribed, subscription, tallied

from opsledger_events import subjects
from opsledger_runtime.provision import provision
from opsledger_runtime.subscriptions import wait_applied

FOUND = subscription(Tally(), contexts=("incident", "sla"))


async def _consumers(js: JetStreamContext) -> dict[str, ConsumerInfo]:
    return {info.name: info for info in await js.consumers_info(subjects.STREAM)}


async def test_provisioning_twice_changes_nothing(fresh_nats: str) -> None:
    client = await nats.connect(fresh_nats)
    js = client.jetstream()
    await provision(js, {"probe": [FOUND]})
    stream, consumers = await js.stream_info(subjects.STREAM), await _consumers(js)
    assert set(consumers) == {"probe_tally_a", "probe_tally_b"}
    assert consumers["probe_tally_a"].config.filter_subjects == ["opsledger.evt.incident.>", "opsledger.evt.sla.>"]
    await provision(js, {"probe": [FOUND]})
    again = await js.stream_info(subjects.STREAM)
    assert (again.created, again.config) == (stream.created, stream.config)
    assert {name: info.created for name, info in (await _consumers(js)).items()} == {
        name: info.created for name, info in consumers.items()
    }
    await client.close()


async def test_drift_is_set_right_and_nothing_is_lost_by_it(database: str, fresh_nats: str) -> None:
    tally = Tally()
    found = subscription(tally)
    client = await nats.connect(fresh_nats)
    js = client.jetstream()
    await js.add_stream(StreamConfig(name=subjects.STREAM, subjects=[subjects.ALL_EVENTS], max_age=3600))
    for side in ("a", "b"):
        name = f"probe_tally_{side}"
        await js.add_consumer(
            subjects.STREAM,
            ConsumerConfig(
                name=name,
                durable_name=name,
                ack_policy=AckPolicy.EXPLICIT if side == "a" else AckPolicy.ALL,
                ack_wait=3,
                filter_subjects=["opsledger.evt.sla.>"],
            ),
        )
    async with a_store(database) as store, a_bus(fresh_nats, found) as bus, subscribed(fresh_nats, store, found):
        await bus.noted(30)
        assert await wait_applied(store.pool, ["tally"], "incident", 30, 20)
        stream = (await js.stream_info(subjects.STREAM)).config
        assert stream.max_age == 0
        assert stream.allow_atomic
        for info in (await _consumers(js)).values():
            assert info.config.ack_policy == AckPolicy.ALL
            assert info.config.ack_wait == 30
            assert info.config.filter_subjects == ["opsledger.evt.incident.>"]
        assert await tallied(store) == list(range(1, 31))
    await client.close()
