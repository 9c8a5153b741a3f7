"""One rule for opaque ids and for hold reasons, whoever takes them in."""

import pytest
from pydantic import TypeAdapter, ValidationError

from notify.domain import checks
from opsledger_events import names

WRONG_EVERYWHERE = [
    "",
    " ",
    "network ",
    " network",
    "a\tb",
    "a\nb",
    "network\n",
    "a\0b",
    "a\x7fb",
    "a\u2028b",
    "\u200b",
]
NO_IDS = [*WRONG_EVERYWHERE, "网络", "two words", "db-01:9100", "a/b", "x" * 65]
NO_REASONS = [*WRONG_EVERYWHERE, "_other", "Awaiting", "9lives", "a-b", "a" * 41]


@pytest.mark.parametrize("text", ["network", "person-3", "A.b_c-9", "-", "x" * 64, "7"])
def test_an_opaque_id_is_letters_digits_dots_underscores_and_hyphens(text: str) -> None:
    assert TypeAdapter(names.OpaqueId).validate_python(text) == text
    assert names.is_opaque_id(text)
    assert checks.is_key(text)


@pytest.mark.parametrize("text", NO_IDS)
def test_everything_else_is_no_opaque_id(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(names.OpaqueId).validate_python(text)
    assert not names.is_opaque_id(text)
    assert not checks.is_key(text)


@pytest.mark.parametrize("text", ["other", "awaiting_vendor", "a", "a9", "a" * 40])
def test_a_reason_is_a_slug(text: str) -> None:
    assert TypeAdapter(names.Reason).validate_python(text) == text
    assert names.is_reason(text)


@pytest.mark.parametrize("text", NO_REASONS)
def test_everything_else_is_no_reason(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(names.Reason).validate_python(text)
    assert not names.is_reason(text)


@pytest.mark.parametrize("text", ["db-01:9100", "核心网络", "two words", "x" * 200, "http://erp.example.com/a?b=c"])
def test_a_name_is_one_visible_line(text: str) -> None:
    assert TypeAdapter(names.Name).validate_python(text) == text
    assert names.is_name(text)


@pytest.mark.parametrize("text", [*WRONG_EVERYWHERE, "x" * 201, "\ud800", "\u3000x"])
def test_what_cannot_be_seen_or_breaks_the_line_is_no_name(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(names.Name).validate_python(text)
    assert not names.is_name(text)
