"""The network of items, and walking it level by level. Pure.

A relation says with its impact which end suffers when the other fails: that end is the dependent, the other its
dependency. The walk owns who was reached, how far away and by which way; whoever reads the items feeds it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

FACTS: Final = (
    "name",
    "item_class",
    "environment",
    "criticality",
    "lifecycle",
    "organisation",
    "owner_team",
    "administrator",
    "database_administrator",
)
"""What is compared of an item, besides its key and its attributes."""


class Direction(StrEnum):
    """Which way a walk goes: to what depends on the item, or to what it depends on."""

    DEPENDENTS = "dependents"
    DEPENDENCIES = "dependencies"


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it is, or was at an instant. `attributes` is an object as JSON."""

    id: str
    key: str
    name: str
    item_class: str
    environment: str
    criticality: str
    lifecycle: str
    organisation: str | None = None
    owner_team: str | None = None
    administrator: str | None = None
    database_administrator: str | None = None
    attributes: str = "{}"

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Item":
        """From a row that has these columns."""
        return cls(**{name: record[name] for name in ("id", "key", *FACTS, "attributes")})


@dataclass(frozen=True, slots=True)
class Relation:
    """`source` is related to `target`, both ids."""

    source: str
    target: str
    relation: str
    impact: str

    @property
    def ends(self) -> tuple[str, str]:
        """Dependent and dependency; where neither suffers, source and target."""
        return (self.target, self.source) if self.impact == "target_depends" else (self.source, self.target)

    @property
    def depends(self) -> bool:
        """Whether one end suffers when the other fails."""
        return self.impact != "none"


@dataclass(frozen=True, slots=True)
class Reached:
    """An item by id and key, how many steps away it is, and one shortest way there.

    `path` are keys from the start to the item, `relations` the types between them: one fewer.
    """

    id: str
    key: str
    distance: int
    path: tuple[str, ...]
    relations: tuple[str, ...]


Step = tuple[str, str, str, str]
"""The id of an item that was reached, the type of a relation, and id and key of the item where it leads."""


@dataclass(slots=True)
class Walk:
    """A walk over a network that is read level by level, so that each item is read once and a cycle ends.

    Feed `take` with every step from the items in `frontier` until that is empty. Of several shortest ways the one
    that comes first by keys and relation types is kept, so that the same network gives the same answer. At most
    `most` items are reached, the start not counted; `truncated` says that there were more.
    """

    start: Item
    depth: int | None = None
    most: int = 10_000
    reached: dict[str, Reached] = field(default_factory=dict)
    truncated: bool = False
    frontier: list[str] = field(default_factory=list)
    _distance: int = 0

    def __post_init__(self) -> None:
        self.reached[self.start.id] = Reached(self.start.id, self.start.key, 0, (self.start.key,), ())
        self.frontier = [self.start.id]

    def take(self, steps: Iterable[Step]) -> None:
        """All steps that lead on from the frontier; the items that were unknown are the next one."""
        found: dict[str, Reached] = {}
        self._distance += 1
        for at, relation, to, key in steps:
            if to in self.reached:
                continue
            before, known = self.reached[at], found.get(to)
            if known is None or ((*before.path, key), (*before.relations, relation)) < (known.path, known.relations):
                path, relations = (*before.path, key), (*before.relations, relation)
                found[to] = Reached(to, key, self._distance, path, relations)
        level = sorted(found.values(), key=lambda one: (one.key, one.id))
        room = self.most + 1 - len(self.reached)
        if len(level) > room:
            self.truncated = True
            level = level[:room]
        self.reached.update((one.id, one) for one in level)
        at_the_end = self.truncated or self._distance == self.depth
        self.frontier = [] if at_the_end else [one.id for one in level]

    def others(self) -> list[Reached]:
        """Everything reached but the start, nearest first, then by key."""
        return [one for one in self.reached.values() if one.distance]
