"""Which incidents belong under which: an item fails because another fails that it depends on. Pure.

Of the failed items that an incident's item depends on, directly or through others, the farthest is the likeliest cause:
what lies between fails because of it too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Edge = tuple[str, str]
"""The ids of a dependent item and of what it depends on."""

MOST: Final = 500
"""So many incidents are grouped at once."""


@dataclass(frozen=True, slots=True)
class Failing:
    """An open incident that came by alert, and its item. `fresh`: it opens now, the others were there."""

    incident: str
    number: str
    item: str
    parent: str | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Grouping:
    """`child` belongs under `parent`; `path` are the items between, both ends included."""

    child: Failing
    parent: Failing
    path: tuple[str, ...]


class Network:
    """Items and what they depend on, as far as it was read."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self._down: dict[str, list[str]] = {}
        self._up: dict[str, list[str]] = {}
        for dependent, dependency in sorted(set(edges)):
            self._down.setdefault(dependent, []).append(dependency)
            self._up.setdefault(dependency, []).append(dependent)

    def dependencies(self, item: str) -> dict[str, tuple[str, ...]]:
        """Everything that the item depends on, nearest first, by a shortest way from the item to it."""
        return _ways(item, self._down)

    def dependents(self, item: str) -> dict[str, tuple[str, ...]]:
        """Everything that depends on the item, nearest first, by a shortest way from the item to it."""
        return _ways(item, self._up)


def _ways(start: str, beside: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    level = [start]
    while level:
        following = []
        for item in level:
            for other in beside.get(item, ()):
                if other not in ways:
                    ways[other] = (*ways[item], other)
                    following.append(other)
        level = following
    del ways[start]
    return ways


def groupings(failing: Sequence[Failing], network: Network) -> list[Grouping]:
    """What has to be grouped, now that the fresh ones open; at most `MOST`, the lowest numbers first.

    A fresh one goes under the farthest failure that it depends on. Those that were there and have no parent go under a
    fresh one that they depend on, or under that one's parent. Never in a circle, also where items depend on each other.
    """
    parents = {one.incident: one.parent for one in failing}
    by_incident = {one.incident: one for one in failing}
    found: dict[str, Grouping] = {}

    def group(child: Failing, candidates: Iterable[tuple[Failing, tuple[str, ...]]]) -> None:
        for parent, path in sorted(candidates, key=lambda one: (-len(one[1]), one[0].number)):
            if parent.item != child.item and not _leads_to(parents, parent.incident, child.incident):
                parents[child.incident] = parent.incident
                found[child.incident] = Grouping(child, parent, path)
                return

    by_item: dict[str, list[Failing]] = {}
    for one in failing:
        by_item.setdefault(one.item, []).append(one)
    fresh = sorted((one for one in failing if one.fresh and one.parent is None), key=lambda one: one.number)
    for child in fresh:
        ways = network.dependencies(child.item)
        group(child, ((one, way) for item, way in ways.items() for one in by_item.get(item, ())))
    standing = sorted((one for one in failing if not one.fresh and one.parent is None), key=lambda one: one.number)
    if standing:
        causes: dict[str, list[tuple[Failing, tuple[str, ...]]]] = {}
        for one in fresh:
            above = found.get(one.incident)
            root, beyond = (one, (one.item,)) if above is None else (above.parent, above.path)
            for item, way in network.dependents(one.item).items():
                causes.setdefault(item, []).append((root, (*way[::-1], *beyond[1:])))
        for child in standing:
            group(child, ((by_incident[cause.incident], path) for cause, path in causes.get(child.item, ())))
    return sorted(found.values(), key=lambda one: one.child.number)[:MOST]


def _leads_to(parents: Mapping[str, str | None], start: str, wanted: str) -> bool:
    at: str | None = start
    while at is not None:
        if at == wanted:
            return True
        at = parents.get(at)
    return False
