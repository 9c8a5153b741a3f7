"""What the relay's messages look like, and how events are put into batches."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from opsledger_events import Envelope
from opsledger_events.envelope import parse_instant
from opsledger_events.subjects import event_subject
from opsledger_runtime import ledger, messages, publishing
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
