"""What an item is after its events, and what it was after each of them: an edit is taken back by comparing the two.

The life cycle: planned → in_stock ⇄ operational → retired. Retired is final except by undo, merged is final.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from cmdb.domain.facts import Facts, after
from opsledger_events import Event
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
)

ItemEvent = (
    ConfigurationItemRegistered
    | ConfigurationItemDescribed
    | ConfigurationItemOwnerNamed
    | ConfigurationItemStocked
    | ConfigurationItemCommissioned
    | ConfigurationItemRetired
    | ConfigurationItemEditUndone
    | ConfigurationItemMerged
    | ConfigurationItemAbsorbed
)

ITEM_EVENTS: Final = frozenset(event.type_name for event in ItemEvent.__args__)


@dataclass(frozen=True, slots=True)
class Item:
    """An item as its events left it. `past[v]` are its facts after version v, `told[v]` the event that made them so."""

    past: tuple[Facts, ...] = (Facts(),)
    told: tuple[type[Event] | None, ...] = (None,)
    merged_into: str | None = None
    merged_into_key: str | None = None

    @property
    def version(self) -> int:
        """How many events it has had."""
        return len(self.past) - 1

    @property
    def facts(self) -> Facts:
        """What it is now."""
        return self.past[-1]


def evolve(item: Item, event: ItemEvent) -> Item:
    """The item after one more event."""
    into, into_key = item.merged_into, item.merged_into_key
    if isinstance(event, ConfigurationItemMerged):
        into, into_key = event.into, event.into_key
    return Item((*item.past, after(item.facts, event)), (*item.told, type(event)), into, into_key)


evolve_any = cast(Callable[[Item, Event], Item], evolve)
