"""What an item is: the facts that every event of it leaves behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

from opsledger_events import Event
from opsledger_events.contexts.cmdb import (
    AttributeValue,
    ConfigurationItemAbsorbed,
    ConfigurationItemCommissioned,
    ConfigurationItemOwnerNamed,
    ConfigurationItemRetired,
    ConfigurationItemStocked,
    Criticality,
    Environment,
    Identifier,
    ItemFacts,
    Lifecycle,
)


class Identified(NamedTuple):
    """How somebody else names the item."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Facts:
    """An item at one moment. Identifiers are sorted and each is there once."""

    key: str = ""
    name: str = ""
    item_class: str = ""
    environment: Environment = "production"
    criticality: Criticality = "medium"
    lifecycle: Lifecycle = "planned"
    organisation: str | None = None
    owner_team: str | None = None
    administrator: str | None = None
    database_administrator: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    identifiers: tuple[Identified, ...] = ()

    def plain(self) -> dict[str, Any]:
        """JSON-ready values by name, as events and answers carry them."""
        found = {name: getattr(self, name) for name in NAMES}
        found["attributes"] = dict(self.attributes)
        found["identifiers"] = [{"kind": kind, "value": value} for kind, value in self.identifiers]
        return found


NAMES: Final = tuple(found.name for found in fields(Facts))
"""The names of an item's facts; columns of its read models too."""


def of_record(record: Mapping[str, Any]) -> Facts:
    """Facts from values by name: an event's data, or a row whose JSON has been parsed."""
    found = {name: record[name] for name in NAMES}
    return Facts(**{**found, "identifiers": identified(record["identifiers"])})


def identified(given: Any) -> tuple[Identified, ...]:
    """Identifiers in order, each once."""
    pairs = {
        (one.kind, one.value) if isinstance(one, Identifier) else (one["kind"], one["value"]) for one in given or ()
    }
    return tuple(Identified(*pair) for pair in sorted(pairs))


def merged_identifiers(*given: tuple[Identified, ...]) -> tuple[Identified, ...]:
    """All of them in order, each once."""
    return tuple(sorted({one for several in given for one in several}))


def name_of(key: str) -> str:
    """The name by which a key is unique: letters' case does not count."""
    return key.lower()


def after(facts: Facts, event: Event) -> Facts:
    """The facts after one more event of the item."""
    match event:
        case ItemFacts():
            found = {name: getattr(event, name) for name in NAMES}
            return Facts(**{**found, "identifiers": identified(event.identifiers)})
        case ConfigurationItemOwnerNamed():
            return replace(
                facts,
                owner_team=event.owner_team,
                administrator=event.administrator,
                database_administrator=event.database_administrator,
            )
        case ConfigurationItemStocked():
            return replace(facts, lifecycle="in_stock")
        case ConfigurationItemCommissioned():
            return replace(facts, lifecycle="operational")
        case ConfigurationItemRetired():
            return replace(facts, lifecycle="retired")
        case ConfigurationItemAbsorbed():
            return replace(facts, identifiers=identified(event.identifiers))
    return facts
