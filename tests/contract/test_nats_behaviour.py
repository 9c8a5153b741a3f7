"""What `wire`, `subscriptions.headers` and `subscriptions.delivery` of the runtime rest on in nats-py and the server.

A failing test here after an upgrade means: read those three again before believing in the order of events.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from opsledger_runtime.messages import Message, frame
from opsledger_runtime.subscriptions import headers
from opsledger_runtime.wire import BrokerAway, Wire

STREAM = "CONTRACT"
KNOWN = [name.decode() for name in headers._NAMES]


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[Client]:
    client = await nats.connect(url)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def _stream(client: Client) -> AsyncIterator[JetStreamContext]:
    js = client.jetstream()
    await js.add_stream(name=STREAM, subjects=["contract.>"])
    try:
        yield js
    finally:
        await js.delete_stream(STREAM)


async def test_frames_put_on_a_connection_arrive_as_messages_in_the_order_of_all_that_it_sends(nats_url: str) -> None:
    async with _client(nats_url) as client:
        heard: list[Msg] = []
        done = asyncio.Event()

        async def answer(message: Msg) -> None:
            heard.append(message)
            if message.reply:
                await message.respond(b"answer to " + message.data)
            if len(heard) == 152:
                done.set()

        await client.subscribe("wire.>", cb=answer)
        wire = Wire(client)
        sent = [Message(f"wire.{n}", {"n": str(n), "text": "备注"}, b"%d" % n) for n in range(150)]
        await client.publish("wire.before", b"before")
        assert await wire.ask(sent, 5.0) == b"answer to 149"
        await client.publish("wire.after", b"after")
        await asyncio.wait_for(done.wait(), 5)
        assert [m.data for m in heard] == [b"before", *(b"%d" % n for n in range(150)), b"after"]
        assert [m.headers for m in heard[1:151]] == [found.headers for found in sent]
        assert [bool(m.reply) for m in heard[1:151]] == [False] * 149 + [True]


async def test_who_asks_and_gets_no_answer_is_told_so(nats_url: str) -> None:
    async with _client(nats_url) as client:
        wire = Wire(client)
        with pytest.raises(BrokerAway, match="nobody listens"):
            await wire.ask([Message("wire.nobody", {"a": "b"}, b"")], 5.0)

        async def mute(message: Msg) -> None:
            """Hears and says nothing."""

        await client.subscribe("wire.mute", cb=mute)
        with pytest.raises(BrokerAway, match="no answer"):
            await wire.ask([Message("wire.mute", {"a": "b"}, b"")], 0.3)
        asking = asyncio.create_task(wire.ask([Message("wire.mute", {"a": "b"}, b"")], 60.0))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(BrokerAway, match="connection was lost"):
            await asyncio.wait_for(asking, 5)
        with pytest.raises(BrokerAway, match="not connected"):
            await wire.ask([Message("wire.mute", {"a": "b"}, b"")], 5.0)


async def test_a_late_answer_is_not_taken_for_that_of_the_next_question(nats_url: str) -> None:
    async with _client(nats_url) as client:
        asked: list[str] = []

        async def late(message: Msg) -> None:
            asked.append(message.reply)
            if len(asked) == 2:
                await client.publish(asked[0], b"first")
                await client.publish(asked[1], b"second")

        await client.subscribe("wire.late", cb=late)
        wire = Wire(client)
        with pytest.raises(BrokerAway):
            await wire.ask([Message("wire.late", {"a": "b"}, b"")], 0.3)
        assert await wire.ask([Message("wire.late", {"a": "b"}, b"")], 5.0) == b"second"


async def test_a_message_is_read_with_the_parser_that_the_connection_was_given(nats_url: str) -> None:
    async with _client(nats_url) as client:
        subscription = await client.subscribe("headers")
        headers.read_fast(client)
        sent = {"Nats-Msg-Id": "1", "ce-type": "x", "Other": "备注", "traceparent": "00-1-2-01"}
        await client.publish("headers", b"x", headers=sent)
        assert (await subscription.next_msg(timeout=5)).headers == sent
        client._parse_header_lines = lambda raw: {"read": "here"}  # type: ignore[method-assign]
        await client.publish("headers", b"x", headers=sent)
        assert (await subscription.next_msg(timeout=5)).headers == {"read": "here"}


_NAME = st.sampled_from(KNOWN).map(str.encode) | st.binary(max_size=12)
_LINE = st.tuples(_NAME, st.sampled_from([b":", b": ", b":\t", b"", b" : "]), st.binary(max_size=20)).map(b"".join)


@given(st.lists(_LINE | st.binary(max_size=12), max_size=8), st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]))
def test_headers_are_read_as_the_client_reads_them(lines: list[bytes], end: bytes) -> None:
    raw = b"\r\n".join(lines) + end
    assert headers.parse_lines(raw) == Client._parse_header_lines(raw)


@given(st.dictionaries(st.sampled_from(KNOWN), st.text(st.characters(codec="utf-8")), min_size=1), st.binary())
async def test_a_frame_is_what_the_client_would_send(fields: dict[str, str], data: bytes) -> None:
    client: Any = Client()
    sent: list[bytes] = []

    async def keep(command: bytes) -> None:
        sent.append(command)

    client._send_command = keep
    client._flush_queue = None
    stripped = {name: value.strip() for name, value in fields.items()}
    await client._send_publish("a.subject", "", data, len(data), stripped)
    assert frame("a.subject", stripped, data) == sent[0]


async def _pull(client: Client, subscription: Any, **about: Any) -> None:
    request = {"batch": 100, "expires": 5_000_000_000, "no_wait": True, **about}
    await client.publish(subscription._nms, json.dumps(request).encode(), subscription._deliver)


async def _all(subscription: Any) -> list[str]:
    """What comes until a status comes, the status included."""
    found: list[str] = []
    while True:
        message = await subscription._sub.next_msg(timeout=5)
        said = (message.headers or {}).get("Status")
        found.append(f"{said} {message.headers['Description']}" if said else message.data.decode())
        if said:
            return found


async def test_a_pull_that_does_not_wait_but_expires_waits_for_the_first_message_only(nats_url: str) -> None:
    async with _client(nats_url) as client, _stream(client) as js:
        await js.add_consumer(STREAM, ConsumerConfig(durable_name="once", ack_policy=AckPolicy.ALL))
        subscription = await js.pull_subscribe_bind("once", STREAM)
        for number in range(3):
            await js.publish("contract.x", b"%d" % number)
        await _pull(client, subscription)
        assert await _all(subscription) == ["0", "1", "2", "404 No Messages"]
        await _pull(client, subscription)
        waiting = asyncio.create_task(_all(subscription))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done, "it waits for the first"
        await js.publish("contract.x", b"3")
        assert await waiting == ["3", "404 No Messages"]
        await js.publish("contract.x", b"4")
        await _pull(client, subscription, batch=1)
        await js.publish("contract.x", b"5")
        await _pull(client, subscription, expires=200_000_000)
        assert await _all(subscription) == ["4", "5", "404 No Messages"], "one that brought its number says nothing"
        await _pull(client, subscription, expires=200_000_000)
        assert await _all(subscription) == ["408 Request Timeout"]


async def test_a_pull_that_does_not_wait_is_refused_behind_one_that_does(nats_url: str) -> None:
    async with _client(nats_url) as client, _stream(client) as js:
        await js.add_consumer(STREAM, ConsumerConfig(durable_name="both", ack_policy=AckPolicy.ALL, max_ack_pending=1))
        subscription = await js.pull_subscribe_bind("both", STREAM)
        for number in range(3):
            await js.publish("contract.x", b"%d" % number)
        await _pull(client, subscription, no_wait=False)
        first = await subscription._sub.next_msg(timeout=5)
        await _pull(client, subscription)
        assert await _all(subscription) == ["408 Requests Pending"]
        await first.ack()
