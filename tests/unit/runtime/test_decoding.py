"""An event is decoded once, and what was decoded is no part of what the event is."""

import copy
import pickle
from dataclasses import fields, replace

import pytest
from pydantic import ValidationError
from tests.support.bus import NOTED, envelope

from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import IncidentNoted


def test_a_second_reader_gets_what_the_first_one_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    event = envelope(NOTED, "a", 1)
    first = decode(event)
    monkeypatch.setattr(IncidentNoted, "read", None)
    assert decode(event) is first


def test_a_decoded_event_is_equal_to_one_that_is_not() -> None:
    decoded, fresh = envelope(NOTED, "a", 1), envelope(NOTED, "a", 1)
    decode(decoded)
    assert decoded == fresh
    assert repr(decoded) == repr(fresh)
    assert pickle.dumps(decoded) == pickle.dumps(fresh)
    assert pickle.loads(pickle.dumps(decoded)) == copy.deepcopy(decoded) == copy.copy(decoded) == fresh  # noqa: S301
    assert Envelope.from_json(decoded.to_json()) == fresh


def test_other_data_is_decoded_anew() -> None:
    event = envelope(NOTED, "a", 1)
    decode(event)
    other = decode(replace(event, data={**event.data, "text": "another"}))
    assert isinstance(other, IncidentNoted)
    assert other.text == "another"
    assert event.numbered(2).sequence == 2


def test_data_that_breaks_its_contract_is_refused_each_time() -> None:
    event = envelope(NOTED, "a", 1, {"text": 5})
    for _ in range(2):
        with pytest.raises(ValidationError):
            decode(event)


def test_an_envelope_stays_frozen() -> None:
    event = envelope(NOTED, "a", 1)
    with pytest.raises(AttributeError):
        event.subject = "b"  # type: ignore[misc]
    assert "decoded" not in {field.name for field in fields(event) if field.init}
