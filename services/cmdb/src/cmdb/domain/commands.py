"""What may be asked of an item or a relation. Ids and definitions arrive in the command: nothing is looked up here."""

from dataclasses import dataclass

from cmdb.domain.classes import ClassDefinition
from cmdb.domain.facts import Facts, Identified
from opsledger_events.contexts.cmdb import AttributeValue, Criticality, Environment, RelationType


@dataclass(frozen=True, slots=True)
class RegisterItem:
    """A new item. `definition` is of its class; `source` says who registers it."""

    facts: Facts
    definition: ClassDefinition
    source: str = "api"


@dataclass(frozen=True, slots=True)
class DescribeItem:
    """Replace what is said of an item; who answers for it and where it is in its life stay."""

    key: str
    name: str
    definition: ClassDefinition
    environment: Environment
    criticality: Criticality
    organisation: str | None
    attributes: dict[str, AttributeValue]
    identifiers: tuple[Identified, ...]
    source: str = "api"


@dataclass(frozen=True, slots=True)
class NameOwner:
    """Who answers for the item from now on (R34); None takes a name away."""

    owner_team: str | None
    administrator: str | None
    database_administrator: str | None


@dataclass(frozen=True, slots=True)
class StockItem:
    """It is in store."""


@dataclass(frozen=True, slots=True)
class CommissionItem:
    """It goes into operation."""


@dataclass(frozen=True, slots=True)
class RetireItem:
    """It is gone for good."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class UndoEdit:
    """Take back what the event with this version changed."""

    version: int


@dataclass(frozen=True, slots=True)
class MergeItem:
    """It was a duplicate of `into`."""

    into: str
    into_key: str


@dataclass(frozen=True, slots=True)
class AbsorbItem:
    """Take over a duplicate's identifiers."""

    duplicate: str
    duplicate_key: str
    identifiers: tuple[Identified, ...]


ItemCommand = (
    RegisterItem
    | DescribeItem
    | NameOwner
    | StockItem
    | CommissionItem
    | RetireItem
    | UndoEdit
    | MergeItem
    | AbsorbItem
)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a relation: an item that is neither retired nor merged."""

    item: str
    key: str
    item_class: str


@dataclass(frozen=True, slots=True)
class RelateItems:
    """Relate two items."""

    relation: RelationType
    source: End
    target: End


@dataclass(frozen=True, slots=True)
class UnrelateItems:
    """End a relation; `reason`: `retired`, `merged`, or what a person says."""

    reason: str | None = None


RelationCommand = RelateItems | UnrelateItems
