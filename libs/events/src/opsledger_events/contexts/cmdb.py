"""What the cmdb service announces: configuration items, who answers for them, and how they depend on one another.

An item is named by its `key`, which people and monitoring use (`sw-core-01`); the aggregate's id is opaque. Relations
are aggregates of their own and name both ends by id and key, so that a subscriber needs no order between them.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from opsledger_events.contract import Event, Personal

Environment = Literal["production", "disaster_recovery", "staging", "test", "development"]
Criticality = Literal["critical", "high", "medium", "low"]
Lifecycle = Literal["planned", "in_stock", "operational", "retired"]
AttributeKind = Literal["text", "integer", "boolean", "date", "choice", "ip_address", "url"]
RelationType = Literal["depends_on", "runs_on", "part_of", "connected_to", "backs_up"]
Impact = Literal["source_depends", "target_depends", "none"]
"""Which end suffers when the other fails."""

AttributeValue = bool | int | str

_ITEM = "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a"
_OTHER = "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4b"


class AttributeDefinition(BaseModel):
    """One attribute that items of a class may or must have. Bounds are of whole numbers, lengths of text."""

    key: str
    name_zh: str
    name_en: str
    kind: AttributeKind
    required: bool = False
    choices: list[str] = []
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None


class Identifier(BaseModel):
    """How somebody else names the item: `serial`, `fqdn`, `ip`, `mac`, `asset`, or a discovery source's own id."""

    kind: str
    value: str


class ItemFacts(Event):
    """Everything that an item is, as it stands after the event."""

    key: str
    name: str
    item_class: str
    environment: Environment
    criticality: Criticality
    lifecycle: Lifecycle
    organisation: str | None = None
    owner_team: str | None = None
    administrator: str | None = None
    database_administrator: str | None = None
    attributes: dict[str, AttributeValue] = Field(default={})
    identifiers: list[Identifier] = Field(default=[])


_FACTS: dict[str, Any] = {
    "key": "db-01",
    "name": "订单数据库",
    "item_class": "database",
    "environment": "production",
    "criticality": "critical",
    "lifecycle": "operational",
    "organisation": "acme",
    "owner_team": "dba",
    "administrator": "person-3",
    "database_administrator": "person-9",
    "attributes": {"engine": "PostgreSQL", "port": 5432},
    "identifiers": [{"kind": "fqdn", "value": "db-01.acme.example"}],
}


class ConfigurationItemClassDefined(Event):
    """A class of items was defined or replaced: what its items must say, and who must answer for them (R34)."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemClassDefined.v1"
    key: str
    name_zh: str
    name_en: str
    attributes: list[AttributeDefinition] = Field(default=[])
    needs_administrator: bool = False
    needs_database_administrator: bool = False
    is_service: bool = False
    revision: int
    example: ClassVar[dict[str, Any]] = {
        "key": "database",
        "name_zh": "数据库",
        "name_en": "Database",
        "attributes": [
            {"key": "engine", "name_zh": "引擎", "name_en": "Engine", "kind": "text", "required": True},
            {"key": "port", "name_zh": "端口", "name_en": "Port", "kind": "integer", "minimum": 1, "maximum": 65535},
        ],
        "needs_administrator": True,
        "needs_database_administrator": True,
        "revision": 1,
    }


class ConfigurationItemRegistered(ItemFacts):
    """An item became known. `source`: `api`, `csv`, or the discovery source that found it."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemRegistered.v1"
    source: str = "api"
    example: ClassVar[dict[str, Any]] = {**_FACTS, "source": "csv"}


class ConfigurationItemDescribed(ItemFacts):
    """What is said of an item was replaced: key, name, class, environment, criticality, attributes, identifiers."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemDescribed.v1"
    previous_key: str | None = None
    source: str = "api"
    example: ClassVar[dict[str, Any]] = {**_FACTS, "previous_key": "db-1", "source": "api"}


class ConfigurationItemOwnerNamed(Event):
    """Who answers for the item from now on: a team, and where its class needs them, named people (R34)."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemOwnerNamed.v1"
    key: str
    owner_team: str | None = None
    administrator: str | None = None
    database_administrator: str | None = None
    previous_owner_team: str | None = None
    example: ClassVar[dict[str, Any]] = {"key": "db-01", "owner_team": "dba", "administrator": "person-3"}


class ConfigurationItemStocked(Event):
    """The item is in store: bought and not in use yet, or taken out of use and kept."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemStocked.v1"
    key: str
    example: ClassVar[dict[str, Any]] = {"key": "db-01"}


class ConfigurationItemCommissioned(Event):
    """The item went into operation."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemCommissioned.v1"
    key: str
    example: ClassVar[dict[str, Any]] = {"key": "db-01"}


class ConfigurationItemRetired(Event):
    """The item is gone for good; its relations end with it."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemRetired.v1"
    key: str
    reason: Annotated[str | None, Personal()] = None
    example: ClassVar[dict[str, Any]] = {"key": "db-01", "reason": "replaced by db-02"}


class ConfigurationItemEditUndone(ItemFacts):
    """An edit was taken back: what the event with version `undone_version` changed is again what it was before.

    Later edits of other facts stay.
    """

    type_name: ClassVar[str] = "cmdb.ConfigurationItemEditUndone.v1"
    undone_version: int
    previous_key: str | None = None
    example: ClassVar[dict[str, Any]] = {**_FACTS, "undone_version": 4}


class ConfigurationItemMerged(Event):
    """The item was a duplicate: `into` stands for it from now on, under its key and identifiers too. Final."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemMerged.v1"
    key: str
    into: str
    into_key: str
    example: ClassVar[dict[str, Any]] = {"key": "DB01", "into": _ITEM, "into_key": "db-01"}


class ConfigurationItemAbsorbed(Event):
    """The item took over a duplicate's key, identifiers and relations. `identifiers` are all that it has now."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemAbsorbed.v1"
    key: str
    duplicate: str
    duplicate_key: str
    identifiers: list[Identifier] = Field(default=[])
    example: ClassVar[dict[str, Any]] = {
        "key": "db-01",
        "duplicate": _OTHER,
        "duplicate_key": "DB01",
        "identifiers": [{"kind": "serial", "value": "CN-7731"}],
    }


class ConfigurationItemsRelated(Event):
    """`source` is related to `target`; `impact` says which of the two suffers when the other fails."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemsRelated.v1"
    partition_by: ClassVar[str | None] = "source"
    source: str
    source_key: str
    target: str
    target_key: str
    relation: RelationType
    impact: Impact
    example: ClassVar[dict[str, Any]] = {
        "source": _ITEM,
        "source_key": "shop",
        "target": _OTHER,
        "target_key": "db-01",
        "relation": "depends_on",
        "impact": "source_depends",
    }


class ConfigurationItemsUnrelated(Event):
    """The relation ended; between the same two it may begin again."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemsUnrelated.v1"
    partition_by: ClassVar[str | None] = "source"
    source: str
    source_key: str
    target: str
    target_key: str
    relation: RelationType
    impact: Impact
    reason: str | None = None
    example: ClassVar[dict[str, Any]] = {
        "source": _ITEM,
        "source_key": "shop",
        "target": _OTHER,
        "target_key": "db-01",
        "relation": "depends_on",
        "impact": "source_depends",
        "reason": "retired",
    }


class ConfigurationItemImportCompleted(Event):
    """A file or a discovery run was taken in. The counts of lines add up to `received`."""

    type_name: ClassVar[str] = "cmdb.ConfigurationItemImportCompleted.v1"
    source: str
    received: int
    registered: int
    changed: int
    unchanged: int
    ambiguous: int
    rejected: int
    example: ClassVar[dict[str, Any]] = {
        "source": "csv",
        "received": 2300,
        "registered": 2290,
        "changed": 4,
        "unchanged": 3,
        "ambiguous": 1,
        "rejected": 2,
    }
