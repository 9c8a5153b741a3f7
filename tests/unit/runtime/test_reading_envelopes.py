"""The quick way of reading an envelope takes less than the thorough one, and nothing else or differently."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.bus import NOTED, envelope

from opsledger_events import Envelope, InvalidEnvelope
from opsledger_events.envelope import _as_written

WRITTEN: dict[str, Any] = {**envelope(NOTED, "a", 1).attributes(), "organisation": "acme", "causationid": "b"}
ODD = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        1.5,
        1e300,
        2**70,
        "",
        "1",
        "01",
        "+1",
        " 1 ",
        "1_0",
        "1.0",
        "1e3",
        "x",
        "\u0661",
    ),
    *([], {}, {"a": None}, [1], {"a": 1.5, "b": [2**70, -0.0, "\U0001f525"]}, "1.1", "\u6838\u5fc3", "a\u2028b"),
    *(
        "opsledger.a.b.v1",
        "opsledger...",
        "opsledger.a.b",
        "opsledger.a.b.v1.x",
        "opsledger.a.b\n.v1",
        "opsledger.a.b.v1\n",
    ),
    *(
        "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a",
        "0192F0C47D1A7C3E9B5E6A0F3D2C1B4A",
        "{0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a}",
    ),
    *("urn:uuid:0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a", "0192f0c47d1a-7c3e9b5e-6a0f3d2c1b4a", "0192f0c4-7d1a-7c3e-9b5e"),
    *("2026-11-22T08:30:00Z", "2026-11-22T08:30:00+08:00", "2026-11-22 08:30:00.1234567Z", "2026-11-22T08:30:00"),
    *(
        "2026-11-22",
        "20261122T083000Z",
        "2026-W47-7T08:30:00Z",
        "2026-11-22t08:30:00z",
        "1700000000",
        "0001-01-01T00:00:00+14:00",
    ),
]
VALUES = st.sampled_from(ODD) | st.text(max_size=20) | st.integers() | st.floats(allow_nan=False)


def thoroughly(raw: bytes) -> Envelope | str:
    try:
        return Envelope._read(raw)
    except InvalidEnvelope as error:
        return str(error)


def read(raw: bytes) -> Envelope | str:
    try:
        return Envelope.from_json(raw)
    except InvalidEnvelope as error:
        return str(error)


@given(
    spoilt=st.dictionaries(st.sampled_from([*WRITTEN, "sequence", "importid", "decoded", "other"]), VALUES, max_size=3)
)
def test_any_value_anywhere_is_read_alike(spoilt: dict[str, Any]) -> None:
    raw = json.dumps({**WRITTEN, **spoilt}).encode()
    assert repr(read(raw)) == repr(thoroughly(raw))


@pytest.mark.parametrize("name", [*WRITTEN, "sequence", "importid", "decoded"])
def test_every_odd_value_of_every_attribute_is_read_alike(name: str) -> None:
    for value in ODD:
        raw = json.dumps({**WRITTEN, name: value}, ensure_ascii=False).encode()
        assert repr(read(raw)) == repr(thoroughly(raw)), value
    left = json.dumps({key: value for key, value in WRITTEN.items() if key != name}).encode()
    assert repr(read(left)) == repr(thoroughly(left))


@given(raw=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
@example(b"null")
@example(b"[]")
@example(b'{"specversion": "1.0"}')
@example(b'{"specversion": "1.0", "specversion": "0.3"}')
def test_bytes_of_any_kind_are_read_alike(raw: bytes) -> None:
    assert repr(read(raw)) == repr(thoroughly(raw))


@pytest.mark.parametrize("name", [*WRITTEN, "sequence"])
def test_an_attribute_stated_twice_is_read_alike(name: str) -> None:
    for first in ('"x"', "1", "{}", json.dumps(WRITTEN.get(name))):
        raw = json.dumps(WRITTEN).encode()
        for doubled in (
            b'{"%s":%s,' % (name.encode(), first.encode()) + raw[1:],
            raw[:-1] + b',"%s":%s}' % (name.encode(), first.encode()),
        ):
            assert repr(read(doubled)) == repr(thoroughly(doubled)), doubled
    inner = json.dumps({**WRITTEN, "data": None}).replace("null", '{"text": 1, "text": "x", "text": "y"}').encode()
    assert repr(read(inner)) == repr(thoroughly(inner))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-0", "1e999", "123456789012345678901234567890", "1.0", "0.1"])
def test_numbers_of_every_kind_are_read_alike(number: str) -> None:
    raw = json.dumps({**WRITTEN, "data": {"x": "?"}}).replace('"?"', number).encode()
    assert repr(read(raw)) == repr(thoroughly(raw))


def test_what_producers_write_goes_the_quick_way() -> None:
    event = envelope(NOTED, "a", 7)
    assert _as_written(event.to_json()) == event
    assert _as_written(json.dumps(WRITTEN).encode()) == Envelope.from_json(json.dumps(WRITTEN).encode())
