"""What a class may define, what conforms to it, and patterns that nobody waits for."""

from typing import Any

import pytest

from cmdb.domain import patterns
from cmdb.domain.classes import CLASS, ClassDefinition, parsed, problems_of
from cmdb.seed import BUILT_IN
from opsledger_events.contexts.cmdb import AttributeDefinition
from opsledger_runtime.testing.decider import given


def attribute(kind: Any = "text", **more: Any) -> AttributeDefinition:
    return AttributeDefinition(**{"key": "a", "name_zh": "甲", "name_en": "A", "kind": kind, **more})


def of(*attributes: AttributeDefinition) -> ClassDefinition:
    return ClassDefinition("rack", "机柜", "Rack", attributes)


@pytest.mark.parametrize("definition", BUILT_IN, ids=lambda one: one.key)
def test_the_built_in_classes_can_be_defined(definition: ClassDefinition) -> None:
    assert given(CLASS).when(definition).refusal is None


def test_the_same_definition_is_nothing_new_and_another_is_the_next_revision() -> None:
    events = given(CLASS).when(of()).events
    given(CLASS, events).when(of()).then_nothing()
    changed = given(CLASS, events).when(of(attribute())).events
    assert [event.revision for event in changed] == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        attribute("choice"),
        attribute("choice", choices=["x", "x"]),
        attribute("choice", choices=["x "]),
        attribute("text", choices=["x"]),
        attribute("integer", minimum=2, maximum=1),
        attribute("text", minimum=-1),
        attribute("text", maximum=-1),
        attribute("date", minimum=1),
        attribute("boolean", maximum=1),
        attribute("integer", pattern="a"),
        attribute("text", pattern="["),
        attribute("text", pattern="(?=a)"),
        attribute("text", pattern="a)|(b"),
        attribute("text", key="A"),
        attribute("text", key=""),
        attribute("text", name_zh=""),
        attribute("text", name_en="a\nb"),
    ],
)
def test_a_definition_that_cannot_be_used_says_what_to_change(wrong: AttributeDefinition) -> None:
    given(CLASS).when(of(wrong)).then_refused("class_definition")


def test_every_wrong_attribute_is_pointed_at() -> None:
    refusal: Any = given(CLASS).when(of(attribute(), attribute(), attribute("choice", key="b"))).refusal
    assert [error.pointer for error in refusal.errors] == ["/attributes/2/choices", "/attributes/1/key"]


def test_too_many_attributes_are_refused() -> None:
    many = [attribute(key=f"a{number}") for number in range(101)]
    given(CLASS).when(of(*many)).then_refused("class_definition")


@pytest.mark.parametrize(
    ("definition", "good", "bad"),
    [
        (attribute("integer", minimum=1, maximum=5), [1, 5], [0, 6, True, "3"]),
        (attribute("boolean"), [True, False], [0, "true"]),
        (attribute("text", minimum=2, maximum=3), ["ab", "核心区"], ["a", "abcd", "", 7]),
        (attribute("text", pattern="[A-Z]{2}-[0-9]+"), ["AB-1"], ["AB-1 ", "xAB-1", "AB-1\n", "ab-1"]),
        (attribute("text", pattern="a|b"), ["a", "b"], ["ab", "ac"]),
        (attribute("date"), ["2026-02-28"], ["2026-02-30", "20260228", "2026-W01-1"]),
        (attribute("choice", choices=["x", "y"]), ["x"], ["z", "X"]),
        (attribute("ip_address"), ["10.0.0.1", "::1"], ["10.0.0", "10.0.0.1/24", "host"]),
        (attribute("url"), ["https://a.example/x"], ["ftp://a", "a.example", "http://", "http://[::1"]),
        (attribute("text"), ["x" * 2000], ["x" * 2001]),
    ],
)
def test_what_conforms_to_each_kind(definition: AttributeDefinition, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if problems_of(of(definition), {"a": value})] == []
    assert [value for value in bad if not problems_of(of(definition), {"a": value})] == []


def test_required_and_unknown_attributes_are_told() -> None:
    found = problems_of(of(attribute(required=True)), {"b": 1})
    assert [one.pointer for one in found] == ["/attributes/b", "/attributes/a"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*)*x", "([a-z]+)*[A-Z]"])
def test_a_pattern_that_makes_others_take_for_ever_is_answered(pattern: str) -> None:
    # Backtracking would take longer than this machine will stand; the test's own deadline would end it.
    assert not patterns.matches(pattern, "a" * 2000 + "!")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "42", 42),
        ("integer", "-7", -7),
        ("integer", "4.5", "4.5"),
        ("integer", "9" * 40, "9" * 40),
        ("boolean", "TRUE", True),
        ("boolean", "否", False),
        ("boolean", "maybe", "maybe"),
        ("text", "42", "42"),
    ],
)
def test_a_files_text_becomes_the_value_that_it_means(kind: str, text: str, value: Any) -> None:
    found = parsed(attribute(kind), text)
    assert (found, type(found)) == (value, type(value))
