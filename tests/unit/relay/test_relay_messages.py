"""What the relay's messages look like, what is kept until it is published, and how events are put into batches."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from opsledger_events import Envelope
from opsledger_events.envelope import parse_instant
from opsledger_events.subjects import event_subject
from opsledger_runtime import ledger, messages, publishing
from opsledger_runtime.kept import Kept
from opsledger_runtime.numbering import Numbered

ENVELOPE = Envelope(
    id=UUID(int=7),
    type="opsledger.incident.IncidentNoted.v1",
    source="/opsledger/test/incident",
    subject="aggregate-1",
    time=parse_instant("2026-01-01T08:00:00+08:00"),
    recordedtime=parse_instant("2026-01-01T08:00:01+08:00"),
    aggregateversion=1,
    partitionkey="owner-1",
    correlationid="c",
    actor="person-1",
    data={"text": "备注"},
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def numbered(no: int, body: bytes) -> Numbered:
    return Numbered(no, UUID(int=no), body, b"salt", b"\x00" * 32, b"\x01" * 32)


def test_a_message_carries_the_stored_bytes_and_the_envelopes_headers() -> None:
    sealed = ledger.seal(ENVELOPE, b"s" * 16)
    hash_ = ledger.chain(ledger.GENESIS, 42, sealed.digest)
    subject, headers, data = messages.message(
        Numbered(42, ENVELOPE.id, sealed.body, sealed.salt, ledger.GENESIS, hash_)
    )
    assert subject == event_subject(ENVELOPE.type, "owner-1")
    assert Envelope.from_json(data) == ENVELOPE.numbered(42)
    assert headers == ENVELOPE.headers() | {"Opsledger-Hash": hash_.hex(), "Opsledger-Salt": sealed.salt.hex()}


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30) | st.sampled_from(
    [',"partitionkey":"other","recordedtime":"', '","type":"opsledger.a.b.v1"}', "\\", '"', "}"]
)


@given(
    st.text('abc-"\\é', min_size=1),
    st.none() | _TEXT,
    st.dictionaries(_TEXT, st.recursive(_TEXT | st.none() | st.integers(-5, 5), lambda inner: st.lists(inner))),
)
def test_where_an_event_goes_is_read_from_its_bytes_as_from_its_attributes(
    key: str, trace: str | None, data: dict[str, Any]
) -> None:
    nested = {**data, "partitionkey": "inner", "zz": {"a": 1, "partitionkey": "deeper", "type": "x"}}
    event = replace(ENVELOPE, partitionkey=key, traceparent=trace, data=nested)
    found = messages.message(numbered(1, ledger.seal(event, b"s" * 16).body))
    assert found.subject == event_subject(event.type, key)
    assert found.headers["ce-type"] == event.type
    assert found.headers.get("traceparent") == trace


def test_an_event_in_another_form_is_read_too() -> None:
    sealed = ledger.seal(ENVELOPE, b"s" * 16)
    other = json.dumps(json.loads(sealed.body), indent=1).encode()
    as_written, otherwise = (messages.message(numbered(1, body)) for body in (sealed.body, other))
    assert (otherwise.subject, otherwise.headers) == (as_written.subject, as_written.headers)


def test_a_value_cannot_end_its_header() -> None:
    framed = messages.frame("a", {"one": "x\r\ntwo: y", "three": "z"}, b"data")
    assert framed == b"HPUB a  38 42\r\nNATS/1.0\r\none: x  two: y\r\nthree: z\r\n\r\ndata\r\n"


def _row(count: int, size: int = 10, first: int = 1) -> list[Numbered]:
    return [
        Numbered(no, UUID(int=no), bytes(size), b"salt", b"%d" % (no - 1), b"%d" % no)
        for no in range(first, first + count)
    ]


class Store:
    """Stands in for the pool: events that are read from the store."""

    def __init__(self, events: list[Numbered]) -> None:
        self.events = events
        self.reads = 0

    async def fetch(self, _: str, no: int, limit: int, __: int) -> list[Numbered]:
        self.reads += 1
        return [event for event in self.events if event.no > no][:limit]


async def test_what_is_kept_is_given_in_order_and_the_rest_is_read() -> None:
    events = _row(5000)
    store, kept = Store(events), Kept()
    kept.add(events[:1000])
    kept.add(events[1000:2000])
    kept.add(events[3000:4000])  # behind a hole: not kept
    given: list[Numbered] = []
    while more := await kept.after(len(given), store):
        assert len(more) <= publishing.BATCH_EVENTS
        given += more
    assert given == events
    assert store.reads == 3, "two thousand from memory, the rest read by the two thousand, and a look at the end"


async def test_what_contradicts_what_is_kept_replaces_it() -> None:
    events = _row(10)
    kept = Kept()
    kept.add(events)
    other = [event._replace(prevhash=b"other", hash=b"other") for event in events[4:6]]
    kept.add(other)
    assert await kept.after(4, Store([])) == other
    assert await kept.after(9, Store(events)) == events[9:]


async def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept = Kept()
    for first in range(1, 10_001, 1000):
        kept.add(_row(1000, first=first))
    store = Store([])
    given = 0
    while more := await kept.after(given, store):
        given += len(more)
    assert given == 3000
    kept.add(_row(16, 2**20))
    kept.add(_row(16, 2**20, first=17))
    assert await kept.after(16, store) == ()


async def test_numbering_waits_for_room_and_not_for_long() -> None:
    kept = Kept()
    await kept.room(60.0)
    kept.add(_row(2000))
    await kept.room(0.01)
    waiting = asyncio.create_task(kept.room(60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    await kept.after(600, Store([]))
    await asyncio.wait_for(waiting, 5)


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=700))
def test_a_batch_is_a_prefix_within_the_brokers_limits(sizes: list[int]) -> None:
    block = memoryview(bytes(300_000))
    events = [numbered(no, block[:size]) for no, size in enumerate(sizes, 1)]  # type: ignore[arg-type]
    taken = publishing._batch(events)
    assert list(taken) == events[: len(taken)]
    assert 1 <= len(taken) <= publishing.BATCH_EVENTS
    size = sum(sizes[: len(taken)])
    assert size <= publishing.BATCH_BYTES or len(taken) == 1
    more = len(taken) < len(events)
    assert not more or len(taken) == publishing.BATCH_EVENTS or size + sizes[len(taken)] > publishing.BATCH_BYTES
