"""Taking edits back, over every story: undoing the last edit gives what was before, and undoing that gives it back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdb.domain.classes import ClassDefinition
from cmdb.domain.commands import (
    CommissionItem,
    DescribeItem,
    ItemCommand,
    NameOwner,
    RegisterItem,
    RetireItem,
    StockItem,
    UndoEdit,
)
from cmdb.domain.decider import ITEM
from cmdb.domain.facts import Facts
from cmdb.domain.state import Item
from opsledger_events.contexts.cmdb import AttributeDefinition
from opsledger_runtime.errors import RuleViolated

TEXTS = tuple(AttributeDefinition(key=key, name_zh=key, name_en=key, kind="text") for key in ("a", "b", "c"))
CLASS = ClassDefinition("server", "服务器", "Server", TEXTS)
START = Facts("srv", "srv", "server", attributes={"a": "1"})

words = st.sampled_from(["1", "2", "3"])
describing = st.builds(
    lambda name, criticality, attributes: DescribeItem(
        "srv", name, CLASS, "production", criticality, None, attributes, ()
    ),
    words,
    st.sampled_from(["low", "high"]),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), words),
)
commands: st.SearchStrategy[ItemCommand] = st.one_of(
    describing,
    st.builds(NameOwner, st.none() | words, st.none() | words, st.none()),
    st.just(StockItem()),
    st.just(CommissionItem()),
    st.just(RetireItem()),
    st.builds(UndoEdit, st.integers(1, 6)),
)


def lived(story: list[ItemCommand]) -> Item:
    """An item after those of the commands that are allowed."""
    item = Item()
    for command in (RegisterItem(START, CLASS), *story):
        item = asked(item, command)
    return item


def asked(item: Item, command: ItemCommand) -> Item:
    try:
        events = ITEM.decide(command, item)
    except Exception as refusal:
        if type(refusal).__module__ != "opsledger_runtime.errors":
            raise
        return item
    for event in events:
        item = ITEM.evolve(item, event)
    return item


@given(st.lists(commands, max_size=12))
def test_undoing_the_last_edit_gives_what_was_before_it_and_undoing_that_gives_it_back(
    story: list[ItemCommand],
) -> None:
    item = lived(story)
    if item.version == 1:
        return
    undone = asked(item, UndoEdit(item.version))
    assert undone.facts == item.past[-2]
    assert asked(undone, UndoEdit(undone.version)).facts == item.facts


@given(st.lists(describing, max_size=6), st.integers(2, 8))
def test_an_undone_edit_touches_only_what_it_had_changed(story: list[ItemCommand], version: int) -> None:
    item = lived(story)
    if version > item.version:
        return
    before, after = item.past[version - 1], item.past[version]
    rule, events = None, ()
    try:
        events = tuple(ITEM.decide(UndoEdit(version), item))
    except RuleViolated as refusal:
        rule = refusal.rule
    assert rule in (None, "changed_again_since")
    if rule is not None:
        return
    found = ITEM.fold(events).facts if events else item.facts
    for key in ("a", "b", "c"):
        touched = before.attributes.get(key) != after.attributes.get(key)
        wanted = before if touched else item.facts
        assert found.attributes.get(key) == wanted.attributes.get(key)
    assert found.name == (before.name if before.name != after.name else item.facts.name)


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_version_that_is_not_cannot_be_undone(version: int) -> None:
    item = lived([StockItem()])
    assert asked(item, UndoEdit(version)) == item


def test_an_undone_attribute_leaves_another_that_was_added_later() -> None:
    first = DescribeItem("srv", "srv", CLASS, "production", "medium", None, {"a": "2"}, ())
    item = lived([first, replace(first, attributes={"a": "2", "b": "1"})])
    assert dict(asked(item, UndoEdit(2)).facts.attributes) == {"a": "1", "b": "1"}
