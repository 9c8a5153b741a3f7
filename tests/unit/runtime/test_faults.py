"""Errors are kept and logged without the values that caused them."""

import asyncpg
import pytest
from pydantic import ValidationError

from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime.faults import describe, whereabouts
from opsledger_runtime.subscriptions.intake import Rejected, Selector


def test_a_broken_contract_is_told_without_the_value() -> None:
    with pytest.raises(ValidationError) as broken:
        IncidentNoted.read({"text": {"name": "Jane Doe"}, "public": "Jane Doe"})
    told = describe(broken.value)
    assert "Jane" not in told
    assert "text: Input should be a valid string" in told
    assert "public" in told


def test_a_validators_own_words_may_quote_the_value_and_are_left_out() -> None:
    error = ValidationError.from_exception_data(
        "Jane", [{"type": "value_error", "loc": ("x",), "input": "Jane", "ctx": {"error": ValueError("no Jane")}}]
    )
    assert describe(error) == "ValidationError: x: value_error"


def test_a_databases_refusal_is_told_by_class_state_and_constraint() -> None:
    error = asyncpg.UniqueViolationError("Key (email)=(jane@example.org) already exists")
    error.__dict__.update(detail="jane@example.org", constraint_name="person_email_key")
    assert describe(error) == "UniqueViolationError: 23505 person_email_key"


def test_an_argument_that_the_client_refuses_is_not_quoted() -> None:
    told = describe(asyncpg.exceptions.DataError("invalid input for query argument $1: 'Jane' (expected int)"))
    assert told == "DataError: 22000"


def test_other_errors_keep_their_words_without_nul() -> None:
    assert describe(ValueError("cannot be \x00 handled")) == "ValueError: cannot be  handled"


def test_where_it_happened_is_told_in_lines_of_code() -> None:
    def fails() -> None:
        raise ValueError("Jane")

    with pytest.raises(ValueError, match="Jane") as failed:
        fails()
    assert whereabouts(failed.value)[-1].startswith("test_faults.py:")
    assert whereabouts(failed.value)[-1].endswith(" fails")


def test_a_rejected_event_is_told_without_its_values() -> None:
    from tests.support.bus import NOTED, Tally, envelope, subscription

    with pytest.raises(Rejected) as rejected:
        Selector(subscription(Tally())).accept(envelope(NOTED, "a", 1, {"text": {"name": "Jane Doe"}}))
    assert "Jane" not in str(rejected.value)
    assert "breaks the contract" in str(rejected.value)
