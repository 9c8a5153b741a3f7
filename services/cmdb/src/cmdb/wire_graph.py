"""What answers about the network of items look like. Instants are RFC 3339 in UTC."""

from typing import Literal

from pydantic import BaseModel

from cmdb.graph.difference import Fact


class ItemShown(BaseModel):
    """An item in the network."""

    id: str
    key: str
    name: str
    item_class: str
    environment: str
    criticality: str
    lifecycle: str
    organisation: str | None
    owner_team: str | None


class ReachedShown(ItemShown):
    """An item, `distance` steps away by `path` (keys, the asked item first) over `relations` (one fewer)."""

    distance: int
    path: list[str]
    relations: list[str]


class Group(BaseModel):
    """The items of one class. `count` were reached, of which `items` may list fewer."""

    item_class: str
    name_zh: str
    name_en: str
    is_service: bool
    count: int
    items: list[ReachedShown]


class Reach(BaseModel):
    """What was reached, business services first, then the class that is nearest.

    `truncated`: more was reached than is listed, or the walk ended at its bound, so that `reached` is too low.
    """

    item: ItemShown
    direction: Literal["dependents", "dependencies"]
    as_of: str | None
    reached: int
    truncated: bool
    groups: list[Group]


class RelationShown(BaseModel):
    """A relation between two items that are shown, by key."""

    source: str
    target: str
    relation: str
    impact: str


class FactShown(BaseModel):
    """What it was and what it is."""

    before: Fact
    after: Fact


class ChangedShown(BaseModel):
    """An item that is in both neighbourhoods, and what differs of it."""

    item: ItemShown
    facts: dict[str, FactShown]


class TurnedShown(RelationShown):
    """A relation whose impact differs."""

    impact_before: str


class ItemsDiffer(BaseModel):
    """Items that came into the neighbourhood, left it, or differ."""

    appeared: list[ItemShown]
    gone: list[ItemShown]
    changed: list[ChangedShown]


class RelationsDiffer(BaseModel):
    """Relations that came into the neighbourhood, left it, or differ."""

    appeared: list[RelationShown]
    gone: list[RelationShown]
    changed: list[TurnedShown]


class DifferenceShown(BaseModel):
    """What differs between two instants within `depth` steps both ways; `truncated`: there was too much to compare."""

    item: str
    since: str
    until: str
    depth: int
    truncated: bool
    items: ItemsDiffer
    relations: RelationsDiffer
