"""What may be asked of an item in which state, and what happens then."""

from dataclasses import replace
from typing import Any

import pytest

from cmdb.domain.classes import ClassDefinition
from cmdb.domain.commands import (
    AbsorbItem,
    CommissionItem,
    DescribeItem,
    ItemCommand,
    MergeItem,
    NameOwner,
    RegisterItem,
    RetireItem,
    StockItem,
    UndoEdit,
)
from cmdb.domain.decider import ITEM
from cmdb.domain.facts import Facts, Identified
from opsledger_events.contexts.cmdb import (
    AttributeDefinition,
    ConfigurationItemAbsorbed,
    ConfigurationItemCommissioned,
    ConfigurationItemDescribed,
    ConfigurationItemEditUndone,
    ConfigurationItemMerged,
    ConfigurationItemOwnerNamed,
    ConfigurationItemRegistered,
    ConfigurationItemRetired,
    ConfigurationItemStocked,
    Identifier,
)
from opsledger_runtime.testing.decider import given

PORT = AttributeDefinition(key="port", name_zh="端口", name_en="Port", kind="integer", minimum=1)
DATABASE = ClassDefinition("database", "数据库", "Database", (PORT,), True, True)
FACTS = Facts("db-01", "订单库", "database", organisation="acme", owner_team="dba", attributes={"port": 5432})
PLAIN: dict[str, Any] = FACTS.plain()
REGISTERED = ConfigurationItemRegistered(**PLAIN)
STOCKED = ConfigurationItemStocked(key="db-01")
COMMISSIONED = ConfigurationItemCommissioned(key="db-01")
RETIRED = ConfigurationItemRetired(key="db-01", reason="replaced")
OWNED = ConfigurationItemOwnerNamed(key="db-01", owner_team="web", administrator="p-1", previous_owner_team="dba")
MERGED = ConfigurationItemMerged(key="db-01", into="other", into_key="db-1")


def described(**changes: Any) -> DescribeItem:
    now = replace(FACTS, **changes)
    return DescribeItem(
        now.key,
        now.name,
        DATABASE,
        now.environment,
        now.criticality,
        now.organisation,
        dict(now.attributes),
        now.identifiers,
    )


def test_an_item_is_registered_once() -> None:
    given(ITEM).when(RegisterItem(FACTS, DATABASE)).then(REGISTERED)
    given(ITEM, [REGISTERED]).when(RegisterItem(FACTS, DATABASE)).then_refused("registered_once")


def test_what_is_gone_already_is_not_registered() -> None:
    gone = RegisterItem(replace(FACTS, lifecycle="retired"), DATABASE)
    given(ITEM).when(gone).then_refused("retired_is_not_new")


def test_attributes_conform_when_they_are_stated() -> None:
    wrong = RegisterItem(replace(FACTS, attributes={"port": 0}), DATABASE)
    given(ITEM).when(wrong).then_refused("attributes_do_not_conform")
    given(ITEM, [REGISTERED]).when(described(attributes={"port": "x"})).then_refused("attributes_do_not_conform")


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (described(name="新库"), ConfigurationItemDescribed(**PLAIN | {"name": "新库"})),
        (described(key="db-1"), ConfigurationItemDescribed(**PLAIN | {"key": "db-1"}, previous_key="db-01")),
        (NameOwner("web", "p-1", None), OWNED),
        (StockItem(), STOCKED),
        (CommissionItem(), COMMISSIONED),
        (RetireItem("replaced"), RETIRED),
        (MergeItem("other", "db-1"), MERGED),
        (
            AbsorbItem("other", "db-1", (Identified("serial", "CN-1"),)),
            ConfigurationItemAbsorbed(
                key="db-01",
                duplicate="other",
                duplicate_key="db-1",
                identifiers=[Identifier(kind="serial", value="CN-1")],
            ),
        ),
    ],
)
def test_what_each_command_leads_to(command: ItemCommand, event: Any) -> None:
    given(ITEM, [REGISTERED]).when(command).then(event)


@pytest.mark.parametrize(
    ("past", "command"),
    [
        ([], described()),
        ([], NameOwner("dba", None, None)),
        ([STOCKED], StockItem()),
        ([COMMISSIONED], CommissionItem()),
        ([RETIRED], RetireItem()),
    ],
)
def test_what_stands_already_is_nothing_new(past: list[Any], command: ItemCommand) -> None:
    given(ITEM, [REGISTERED, *past]).when(command).then_nothing()


COMMANDS: list[ItemCommand] = [
    described(name="x"),
    NameOwner(None, None, None),
    StockItem(),
    CommissionItem(),
    MergeItem("other", "db-1"),
    AbsorbItem("other", "db-1", ()),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_retired_is_final(command: ItemCommand) -> None:
    given(ITEM, [REGISTERED, RETIRED]).when(command).then_refused("retired_is_final")


@pytest.mark.parametrize("command", [*COMMANDS, RetireItem(), UndoEdit(1)])
def test_merged_is_final(command: ItemCommand) -> None:
    refusal = given(ITEM, [REGISTERED, MERGED]).when(command).then_refused("merged_is_final")
    assert "“db-1”" in refusal.message


@pytest.mark.parametrize("command", [*COMMANDS, RetireItem(), UndoEdit(1)])
def test_nothing_is_asked_of_what_was_never_registered(command: ItemCommand) -> None:
    given(ITEM).when(command).then_refused("not_found")


def test_an_undone_retirement_is_an_event_that_says_everything() -> None:
    undone = ConfigurationItemEditUndone(**PLAIN | {"lifecycle": "operational"}, undone_version=3)
    given(ITEM, [REGISTERED, COMMISSIONED, RETIRED]).when(UndoEdit(3)).then(undone)


def test_a_merge_is_not_undone() -> None:
    absorbed = ConfigurationItemAbsorbed(key="db-01", duplicate="other", duplicate_key="db-1")
    given(ITEM, [REGISTERED, absorbed]).when(UndoEdit(2)).then_refused("merge_is_not_undone")
