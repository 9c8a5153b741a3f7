"""Which event is applied, skipped, rejected or ahead of its turn."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bus import CLOSED, MET, NOTED, Tally, envelope, subscription, wire

from opsledger_events import Envelope, subjects
from opsledger_runtime.subscriptions.checkpoint import Checkpoint
from opsledger_runtime.subscriptions.delivery import pending
from opsledger_runtime.subscriptions.intake import Plan, Selector, attribute, places, sort_out


@dataclass
class Fake:
    subject: str
    reply: str
    data: bytes
    headers: dict[str, str] | None = field(default=None)


def _message(event: Envelope, stream_sequence: int, *, bare: bool = False) -> Fake:
    return Fake(
        subjects.event_subject(event.type, event.partitionkey),
        f"$JS.ACK.EVENTS.c.1.{stream_sequence}.1.1700000000000000000.0",
        wire(event),
        None if bare else event.headers(),
    )


def _plan(start: Checkpoint, *messages: Any, standing: bool = False, contiguous: bool = True) -> Plan:
    selector = Selector(subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET)))
    return sort_out(selector, messages, start, standing=standing, contiguous=contiguous)


START = Checkpoint(1, "EVENTS now", 10, "ten", {"incident": 5})


def _handled(plan: Plan) -> list[tuple[str, int | None]]:
    return [(entry.context, entry.sequence) for entry in plan.entries if entry.envelope is not None]


def test_the_next_event_of_each_context_is_applied_and_the_place_moves() -> None:
    last = envelope(MET, "b", 1)
    plan = _plan(START, _message(envelope(NOTED, "a", 6), 11), _message(last, 15))
    assert _handled(plan) == [("incident", 6), ("sla", 1)]
    assert plan.end == Checkpoint(1, "EVENTS now", 15, str(last.id), {"incident": 6, "sla": 1})
    assert plan.ahead is None


def test_what_is_applied_already_moves_only_the_place() -> None:
    old = envelope(NOTED, "a", 5)
    plan = _plan(START, _message(old, 44))
    assert plan.entries == []
    assert plan.end == Checkpoint(1, "EVENTS now", 44, str(old.id), {"incident": 5})


def test_a_type_outside_the_list_counts_and_is_not_decoded() -> None:
    message = _message(envelope(CLOSED, "a", 6), 11)
    message.data = message.data[:40] + b"this is no JSON"
    plan = _plan(START, message)
    assert _handled(plan) == []
    assert plan.entries[0].error is None
    assert plan.end.sequences == {"incident": 6}


def test_a_missing_number_holds_its_context_and_the_place_but_not_the_other_context() -> None:
    before = envelope(MET, "b", 1)
    plan = _plan(
        START,
        _message(before, 11),
        _message(envelope(NOTED, "a", 8), 12),
        _message(envelope(MET, "b", 2), 13),
        _message(envelope(NOTED, "a", 9), 14),
    )
    assert _handled(plan) == [("sla", 1), ("sla", 2)]
    assert plan.end == Checkpoint(1, "EVENTS now", 11, str(before.id), {"incident": 5, "sla": 2})
    assert plan.ahead is not None
    assert (plan.ahead.context, plan.ahead.applied, plan.ahead.seen) == ("incident", 5, 8)


def test_after_a_gap_the_missing_events_may_come_later_and_the_place_still_stands() -> None:
    plan = _plan(START, _message(envelope(NOTED, "a", 6), 20), _message(envelope(NOTED, "a", 7), 21), standing=True)
    assert _handled(plan) == [("incident", 6), ("incident", 7)]
    assert (plan.end.stream_sequence, plan.end.message_id) == (10, "ten")


def test_an_event_without_headers_is_judged_by_its_bytes() -> None:
    plan = _plan(
        START,
        _message(envelope(NOTED, "a", 6), 11, bare=True),
        _message(envelope(CLOSED, "a", 7), 12, bare=True),
    )
    assert _handled(plan) == [("incident", 6)]
    assert plan.end.sequences == {"incident": 7}


def test_a_number_elsewhere_in_the_bytes_is_found() -> None:
    message = _message(envelope(NOTED, "a", 6), 11)
    message.data = envelope(NOTED, "a", 6).to_json()
    assert _handled(_plan(START, message)) == [("incident", 6)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\xff", "not an Opsledger event"),
        (b"[]", "not an Opsledger event"),
        (b'{"specversion":"0.3"}', "specversion"),
        (envelope(NOTED, "a", 6).to_json().replace(b'"sequence":"00000000000000000006"', b'"x":1'), "no number"),
    ],
)
def test_bytes_without_a_number_are_kept_and_count_for_nothing(data: bytes, why: str) -> None:
    message = _message(envelope(NOTED, "a", 6), 11)
    message.data = data
    plan = _plan(START, message)
    assert plan.entries[0].sequence is None
    assert why in (plan.entries[0].error or "")
    assert plan.end.sequences == {"incident": 5}
    assert plan.end.stream_sequence == 11


def test_broken_bytes_with_a_number_take_their_turn() -> None:
    message = _message(envelope(NOTED, "a", 6), 11)
    message.data = message.data[:-7]
    plan = _plan(START, message, _message(envelope(NOTED, "a", 7), 12))
    assert plan.entries[0].error is not None
    assert _handled(plan) == [("incident", 7)]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (envelope("incident.IncidentNoted.v2", "a", 6, {}), "unknown major"),
        (envelope(NOTED, "a", 6, {"public": 3.5}), "breaks the contract"),
    ],
)
def test_a_wanted_event_that_cannot_be_read_is_rejected(event: Envelope, why: str) -> None:
    plan = _plan(START, _message(event, 11))
    assert why in (plan.entries[0].error or "")
    assert plan.end.sequences == {"incident": 6}


def test_optional_fields_of_a_newer_release_are_accepted() -> None:
    event = envelope(NOTED, "a", 6, {"text": "x", "added_later": 1})
    assert _handled(_plan(START, _message(event, 11))) == [("incident", 6)]


def test_places_are_read_from_both_forms_of_the_acknowledgement_subject() -> None:
    assert places("$JS.ACK.EVENTS.c.1.20.30.1700000000000000000.5") == (20, 30)
    assert places("$JS.ACK._.hash.EVENTS.c.1.20.30.1700000000000000000.5") == (20, 30)
    assert places("$JS.ACK._.hash.EVENTS.c.1.20.30.1700000000000000000.5.token") == (20, 30)
    with pytest.raises(ValueError, match="not an acknowledgement"):
        places("_INBOX.x")


def test_what_the_consumer_still_has_is_read_from_both_forms_of_the_acknowledgement_subject() -> None:
    assert pending("$JS.ACK.EVENTS.c.1.20.30.1700000000000000000.5") == 5
    assert pending("$JS.ACK._.hash.EVENTS.c.1.20.30.1700000000000000000.5.token") == 5


def test_an_attribute_of_anything_is_text() -> None:
    assert attribute(b'{"subject":"a"}', "subject") == "a"
    assert attribute(b'{"subject":"a\\u0000"}', "subject") == "a"
    assert attribute(b'{"subject":7}', "subject") == ""
    assert attribute(b"[1]", "subject") == ""
    assert attribute(b"\xff", "subject") == ""


@given(st.lists(st.tuples(st.sampled_from([NOTED, MET]), st.integers(1, 8)), max_size=60))
def test_whatever_comes_numbers_are_applied_without_gap_or_repeat(arrivals: list[tuple[str, int]]) -> None:
    messages = [_message(envelope(kind, "a", no), 11 + place) for place, (kind, no) in enumerate(arrivals)]
    plan = _plan(Checkpoint(1, "s", 10, "ten", {}), *messages)
    for context in ("incident", "sla"):
        done = [no for name, no in _handled(plan) if name == context]
        assert done == list(range(1, len(done) + 1))
        assert plan.end.sequences.get(context, 0) == len(done)
    ahead = [
        m
        for m, (kind, no) in zip(messages, arrivals, strict=True)
        if no > plan.end.sequences.get(kind.split(".")[0], 0)
    ]
    if ahead:
        assert plan.end.stream_sequence < int(ahead[0].reply.split(".")[5]), "it will be read again"


def test_messages_read_before_their_turn_are_sorted_as_if_they_were_not() -> None:
    messages = [
        _message(envelope(NOTED, "a", 6), 11),
        _message(envelope(CLOSED, "a", 7), 12),
        _message(envelope(NOTED, "a", 8, {"text": {"no": "text"}}), 13),
        Fake("opsledger.evt.incident.Noted.1", "$JS.ACK.EVENTS.c.1.14.1.1700000000000000000.0", b"not json"),
        _message(envelope(MET, "b", 1), 15, bare=True),
        _message(envelope(NOTED, "a", 5), 16),
    ]
    selector = Selector(subscription(Tally(), contexts=("incident", "sla"), reads=(NOTED, MET)))
    for message in [*messages, *messages]:
        selector.read_early(message)
    early = sort_out(selector, messages, START, standing=False)
    assert early == _plan(START, *messages)
    assert all(selector.taken(message) is None for message in messages)


def test_what_was_read_early_is_forgotten_when_deliveries_start_again() -> None:
    selector = Selector(subscription(Tally(), contexts=("incident",), reads=(NOTED,)))
    message = _message(envelope(NOTED, "a", 6), 11)
    selector.read_early(message)
    selector.forget()
    assert selector.taken(message) is None
    selector.read_early(message)
    assert selector.taken(message) == Envelope.from_json(message.data)
