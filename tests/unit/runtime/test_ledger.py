"""Canonical bytes, salted digests and the chain (D11)."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import rfc8785
from hypothesis import assume, example, given
from hypothesis import strategies as st

from opsledger_events import Envelope
from opsledger_runtime import ledger
from opsledger_runtime.errors import Invalid

SALT = bytes(range(16))

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | storable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(storable, inner, max_size=4),
    max_leaves=12,
)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def envelope(data: dict[str, Any]) -> Envelope:
    instant = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    return Envelope(
        id=UUID(int=1),
        type="opsledger.incident.IncidentNoted.v1",
        source="/opsledger/test/incident",
        subject="a",
        time=instant,
        recordedtime=instant,
        aggregateversion=1,
        partitionkey="a",
        correlationid="c",
        actor="person-1",
        data=data,
    )


@given(st.dictionaries(storable, values, max_size=5))
def test_any_json_survives_the_store_and_the_wire(data: dict[str, Any]) -> None:
    sealed = ledger.seal(envelope(data), SALT)
    assert Envelope.from_json(sealed.body) == envelope(data)
    assert Envelope.from_json(ledger.wire(sealed.body, 7)) == envelope(data).numbered(7)
    assert ledger.digest_of(sealed.body, sealed.salt) == sealed.digest


def _rfc_8785(value: Any) -> bytes | type[Exception]:
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return Exception


def _ours(value: Any) -> bytes | type[Exception]:
    try:
        return ledger.canonical(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return Exception


@given(anything)
@example({"\U0001f600": 1, "\uffff": 2})
@example({"a": [1.0, {"b": 1e21}]})
@example({"a": 2**53, "b": -(2**53)})
@example({"a": '\x7f\u2028\x1f/\\"'})
@example({"a": True, "b": [None, False], "c": (1, 2)})
@example({1: "not text"})
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert _ours(value) == _rfc_8785(value)


@given(
    instants=st.tuples(
        st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), ZoneInfo("America/New_York")])),
        st.sampled_from([0, 1, 999_999]),
    ),
    optional=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("organisation", "causationid", "importid", "traceparent"), storable)
    ),
)
@example(instants=(datetime(1, 1, 1, tzinfo=UTC), 1), optional={})
@example(instants=(datetime(1, 1, 1, tzinfo=UTC), 0), optional={"organisation": "x"})
def test_an_event_is_stored_as_rfc_8785_bytes_of_its_attributes(
    instants: tuple[datetime, int], optional: dict[str, str]
) -> None:
    told, microsecond = instants
    assume(1 < told.year < 9999 or told.tzinfo is UTC)
    event = replace(envelope({"text": "长"}), time=told, recordedtime=told.replace(microsecond=microsecond), **optional)
    sealed = ledger.seal(event, SALT)
    assert sealed.body == rfc8785.dumps(event.attributes())
    assert ledger.seal(event.numbered(7), SALT) == sealed
    assert ledger.digest_of(sealed.body, SALT) == sealed.digest


def test_data_that_spells_its_own_place_changes_nothing() -> None:
    data = {"text": '"data":"","data":{', 'x","data': '"data":'}
    assert ledger.seal(envelope(data), SALT).body == rfc8785.dumps(envelope(data).attributes())


def test_digest_is_taken_over_rfc_8785_bytes_with_data_replaced_by_its_salted_digest() -> None:
    sealed = ledger.seal(envelope({"text": "更换光模块", "public": True}), SALT)
    attributes = envelope({}).attributes()
    attributes["data"] = hashlib.sha256(SALT + rfc8785.dumps({"public": True, "text": "更换光模块"})).hexdigest()
    assert sealed.digest == hashlib.sha256(rfc8785.dumps(attributes)).digest()


def test_one_changed_byte_changes_the_digest() -> None:
    sealed = ledger.seal(envelope({"text": "a"}), SALT)
    changed = sealed.body.replace(b'"text":"a"', b'"text":"b"')
    assert ledger.digest_of(changed, sealed.salt) != sealed.digest


def test_chain_binds_order_and_content() -> None:
    first, second = hashlib.sha256(b"1").digest(), hashlib.sha256(b"2").digest()
    forward = ledger.chain(ledger.chain(ledger.GENESIS, 1, first), 2, second)
    swapped = ledger.chain(ledger.chain(ledger.GENESIS, 1, second), 2, first)
    assert forward != swapped


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"text": "a\0b"}, "nul_character"),
        ({"text": "\ud800"}, "not_storable"),
        ({"number": 2**60}, "not_storable"),
        ({"number": float("nan")}, "not_storable"),
        ({"text": "长" * 100_000}, "too_large"),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(data: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        ledger.seal(envelope(data), SALT)
    assert refused.value.code == code


def test_text_that_spells_an_escape_is_no_nul_character() -> None:
    ledger.seal(envelope({"text": "the regex \\u0000 matches NUL"}), SALT)
