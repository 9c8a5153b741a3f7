"""What differs between the neighbourhoods of an item at two instants. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cmdb.graph.network import FACTS, Item, Relation

Fact = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The items around one, by id, and the relations between them; empty where it was not known."""

    items: Mapping[str, Item] = field(default_factory=dict)
    relations: Sequence[Relation] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """An item that is in both, and is not the same: by fact, what it was and what it is."""

    item: Item
    facts: Mapping[str, tuple[Fact, Fact]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What came, went and changed, by key; `turned` relations kept their ends and type but not their impact."""

    appeared: list[Item]
    gone: list[Item]
    changed: list[Changed]
    related: list[Relation]
    unrelated: list[Relation]
    turned: list[tuple[Relation, Relation]]


def difference(before: Neighbourhood, after: Neighbourhood) -> Difference:
    """From `before` to `after`."""
    old = {(one.source, one.target, one.relation): one for one in before.relations}
    new = {(one.source, one.target, one.relation): one for one in after.relations}
    changed = [
        Changed(item, facts)
        for item in _by_key(after.items)
        if (was := before.items.get(item.id)) is not None and (facts := _facts(was, item))
    ]
    return Difference(
        appeared=[item for item in _by_key(after.items) if item.id not in before.items],
        gone=[item for item in _by_key(before.items) if item.id not in after.items],
        changed=changed,
        related=[new[found] for found in sorted(new.keys() - old.keys())],
        unrelated=[old[found] for found in sorted(old.keys() - new.keys())],
        turned=[(old[found], new[found]) for found in sorted(old.keys() & new.keys()) if old[found] != new[found]],
    )


def _by_key(items: Mapping[str, Item]) -> list[Item]:
    return sorted(items.values(), key=lambda item: (item.key, item.id))


def _facts(was: Item, now: Item) -> dict[str, tuple[Fact, Fact]]:
    compared: dict[str, tuple[Fact, Fact]] = {
        name: (getattr(was, name), getattr(now, name)) for name in ("key", *FACTS)
    }
    if was.attributes != now.attributes:
        old, new = json.loads(was.attributes), json.loads(now.attributes)
        compared |= {f"attributes.{name}": (old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())}
    return {name: (old, new) for name, (old, new) in compared.items() if (type(old), old) != (type(new), new)}
