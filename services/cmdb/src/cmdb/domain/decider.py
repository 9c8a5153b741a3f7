"""Which command is allowed for an item, and what happens then: one function per command.

Every refusal names its rule and says what to do instead. A command whose effect already stands gives no event. Whether
a key is free is a question across items, so whoever loads them answers it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from cmdb.domain.classes import require_conforming
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
from cmdb.domain.facts import merged_identifiers
from cmdb.domain.state import Item, ItemEvent, evolve_any
from cmdb.domain.undoing import facts_without
from opsledger_events.contexts.cmdb import (
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
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import NotFound, RuleViolated

Events = Sequence[ItemEvent]


def decide(command: ItemCommand, item: Item) -> Events:
    """The events that the command causes.

    Raises:
        NotFound: nothing was registered yet.
        RuleViolated: the state forbids it.
        Invalid: attributes that do not conform to the class.
    """
    if isinstance(command, RegisterItem):
        return register_item(command, item)
    if item.version == 0:
        raise NotFound("There is no such item.")
    _not_merged(item)
    match command:
        case DescribeItem():
            return describe_item(command, item)
        case NameOwner():
            return name_owner(command, item)
        case StockItem():
            return stock_item(item)
        case CommissionItem():
            return commission_item(item)
        case RetireItem():
            return retire_item(command, item)
        case UndoEdit():
            return undo_edit(command, item)
        case MergeItem():
            return merge_item(command, item)
        case AbsorbItem():
            return absorb_item(command, item)
        case _:
            assert_never(command)


def register_item(command: RegisterItem, item: Item) -> Events:
    """Planned, in store or in operation; what is gone already is not registered."""
    if item.version:
        raise RuleViolated(f"“{item.facts.key}” is registered already.", rule="registered_once")
    if command.facts.lifecycle == "retired":
        raise RuleViolated(
            "What is gone already is not registered. Leave it out, or register it as it is.", rule="retired_is_not_new"
        )
    require_conforming(command.definition, command.facts.attributes)
    return [ConfigurationItemRegistered(**command.facts.plain(), source=command.source)]


def describe_item(command: DescribeItem, item: Item) -> Events:
    """Replace what is said of it."""
    _not_retired(item)
    require_conforming(command.definition, command.attributes)
    before = item.facts
    facts = replace(
        before,
        key=command.key,
        name=command.name,
        item_class=command.definition.key,
        environment=command.environment,
        criticality=command.criticality,
        organisation=command.organisation,
        attributes=dict(command.attributes),
        identifiers=merged_identifiers(command.identifiers),
    )
    if facts == before:
        return []
    return [
        ConfigurationItemDescribed(
            **facts.plain(), previous_key=None if facts.key == before.key else before.key, source=command.source
        )
    ]


def name_owner(command: NameOwner, item: Item) -> Events:
    """Who answers for it from now on."""
    _not_retired(item)
    named = (command.owner_team, command.administrator, command.database_administrator)
    facts = item.facts
    if named == (facts.owner_team, facts.administrator, facts.database_administrator):
        return []
    return [
        ConfigurationItemOwnerNamed(
            key=facts.key,
            owner_team=command.owner_team,
            administrator=command.administrator,
            database_administrator=command.database_administrator,
            previous_owner_team=facts.owner_team,
        )
    ]


def stock_item(item: Item) -> Events:
    """Bought, or taken out of use and kept."""
    _not_retired(item)
    return [] if item.facts.lifecycle == "in_stock" else [ConfigurationItemStocked(key=item.facts.key)]


def commission_item(item: Item) -> Events:
    """Into operation, from planned or from store. Who must answer for it is reported, not required here (R34)."""
    _not_retired(item)
    return [] if item.facts.lifecycle == "operational" else [ConfigurationItemCommissioned(key=item.facts.key)]


def retire_item(command: RetireItem, item: Item) -> Events:
    """Gone for good; its relations are ended by whoever loads them."""
    if item.facts.lifecycle == "retired":
        return []
    return [ConfigurationItemRetired(key=item.facts.key, reason=command.reason)]


def undo_edit(command: UndoEdit, item: Item) -> Events:
    """As it was before that edit, later edits of other things kept."""
    facts = facts_without(item, command.version)
    if facts == item.facts:
        return []
    if item.facts.lifecycle == facts.lifecycle == "retired":
        _not_retired(item)
    return [
        ConfigurationItemEditUndone(
            **facts.plain(),
            undone_version=command.version,
            previous_key=None if facts.key == item.facts.key else item.facts.key,
        )
    ]


def merge_item(command: MergeItem, item: Item) -> Events:
    """Final: what was merged is not taken apart again, since others have built on it."""
    _not_retired(item)
    return [ConfigurationItemMerged(key=item.facts.key, into=command.into, into_key=command.into_key)]


def absorb_item(command: AbsorbItem, item: Item) -> Events:
    """Its own identifiers and the duplicate's."""
    _not_retired(item)
    every = merged_identifiers(item.facts.identifiers, command.identifiers)
    return [
        ConfigurationItemAbsorbed(
            key=item.facts.key,
            duplicate=command.duplicate,
            duplicate_key=command.duplicate_key,
            identifiers=[Identifier(kind=kind, value=value) for kind, value in every],
        )
    ]


def _not_merged(item: Item) -> None:
    if item.merged_into is not None:
        raise RuleViolated(
            f"“{item.facts.key}” was merged into “{item.merged_into_key}”, and that is final. Go on with that item.",
            rule="merged_is_final",
        )


def _not_retired(item: Item) -> None:
    if item.facts.lifecycle == "retired":
        raise RuleViolated(
            f"“{item.facts.key}” is retired. Undo that first if it was a mistake, or register another item.",
            rule="retired_is_final",
        )


ITEM: Final[Decider[ItemCommand, Item]] = Decider(decide, evolve_any, Item())
