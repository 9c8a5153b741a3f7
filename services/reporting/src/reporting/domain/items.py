"""How the events of configuration items become versions of them: each with the time in which it was true. Pure.

An event that changes nothing of what a version tells begins no version. A version that ended as it began is kept: its
event is still one that a reader may look for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opsledger_events import Envelope, Event
from opsledger_events.contexts.cmdb import (
    ConfigurationItemClassDefined,
    ConfigurationItemCommissioned,
    ConfigurationItemDescribed,
    ConfigurationItemEditUndone,
    ConfigurationItemMerged,
    ConfigurationItemOwnerNamed,
    ConfigurationItemRegistered,
    ConfigurationItemRetired,
    ConfigurationItemStocked,
    ItemFacts,
)
from reporting.domain.rows import ClassRow, ItemRow

RETIRED: Final = "retired"


@dataclass(slots=True)
class Items:
    """Versions by item and number, the present ones, and classes: as loaded, then as the batch leaves them."""

    present: dict[str, ItemRow] = field(default_factory=dict)
    versions: dict[tuple[str, int], ItemRow] = field(default_factory=dict)
    classes: dict[str, ClassRow] = field(default_factory=dict)


def fold_item(items: Items, envelope: Envelope, event: Event) -> None:
    """Change `items` as an event of an item or a class says."""
    if isinstance(event, ConfigurationItemClassDefined):
        known = items.classes.get(event.key)
        items.classes[event.key] = ClassRow(
            event.key,
            event.name_zh,
            event.name_en,
            event.needs_administrator,
            event.needs_database_administrator,
            event.is_service,
            event.is_service or (known is not None and known.was_service),
            event.revision,
            envelope.time,
        )
        return
    before = items.present.get(envelope.subject)
    after = _CHANGES[type(event)](before or ItemRow(envelope.subject, 0, "", "", ""), event)
    if before is not None and after == before:
        return
    if before is not None:
        items.versions[before.item_id, before.version] = replace(before, valid_to=envelope.time, is_current=False)
    after = replace(
        after, version=1 + (before.version if before else 0), event_id=str(envelope.id), valid_from=envelope.time
    )
    items.present[after.item_id] = items.versions[after.item_id, after.version] = after


def _describe(item: ItemRow, event: ItemFacts) -> ItemRow:
    return replace(
        item,
        key=event.key,
        name=event.name,
        item_class=event.item_class,
        environment=event.environment,
        criticality=event.criticality,
        lifecycle=event.lifecycle,
        organisation=event.organisation,
        owner_team=event.owner_team or None,
        administrator=event.administrator or None,
        database_administrator=event.database_administrator or None,
        source=getattr(event, "source", item.source),
    )


def _own(item: ItemRow, event: ConfigurationItemOwnerNamed) -> ItemRow:
    return replace(
        item,
        owner_team=event.owner_team or None,
        administrator=event.administrator or None,
        database_administrator=event.database_administrator or None,
    )


_CHANGES: Final[dict[type[Event], Callable[[ItemRow, Any], ItemRow]]] = {
    ConfigurationItemRegistered: _describe,
    ConfigurationItemDescribed: _describe,
    ConfigurationItemEditUndone: _describe,
    ConfigurationItemOwnerNamed: _own,
    ConfigurationItemStocked: lambda item, event: replace(item, lifecycle="in_stock"),
    ConfigurationItemCommissioned: lambda item, event: replace(item, lifecycle="operational"),
    ConfigurationItemRetired: lambda item, event: replace(item, lifecycle=RETIRED),
    ConfigurationItemMerged: lambda item, event: replace(item, merged_into=event.into),
}
FACTS: Final[tuple[type[Event], ...]] = (ConfigurationItemClassDefined, *_CHANGES)
