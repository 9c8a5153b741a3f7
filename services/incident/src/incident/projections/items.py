"""Read models `ci`, `ci_name`, `ci_class`, `ci_relation` (subscribed, by `items`): configuration items, as incidents
need them: who owns an item, how critical it is, what it is called, and what depends on what.

An event of an item whose registration is unknown writes a row with what it says.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from opsledger_events import Envelope, decode
from opsledger_events.contexts.cmdb import (
    ConfigurationItemAbsorbed,
    ConfigurationItemClassDefined,
    ConfigurationItemCommissioned,
    ConfigurationItemDescribed,
    ConfigurationItemEditUndone,
    ConfigurationItemMerged,
    ConfigurationItemOwnerNamed,
    ConfigurationItemRegistered,
    ConfigurationItemRetired,
    ConfigurationItemsRelated,
    ConfigurationItemStocked,
    ConfigurationItemsUnrelated,
    ItemFacts,
)
from opsledger_runtime.projections import Projection, Table
from opsledger_runtime.store import Transaction
from opsledger_runtime.subscriptions import Subscription

ADDRESSES: Final = frozenset({"fqdn", "ip"})
"""Kinds of identifiers by which monitoring calls an item."""

_LOAD: Final = (
    "select found.* from unnest($1::text[]) as wanted (item) cross join lateral"
    " (select * from ci where item = wanted.item offset 0) as found"
)
_FACTS: Final = ("key", "name", "item_class", "criticality", "lifecycle", "organisation", "owner_team")
_COLUMNS: Final = ("item", *_FACTS, "merged_into", "aliases", "addresses")
_UPSERT: Final = f"""
insert into ci ({", ".join(_COLUMNS)})
select {", ".join(_COLUMNS)} from jsonb_populate_recordset(null::ci, $1::text::jsonb)
on conflict (item) do update set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "item")}
"""
_UNNAME: Final = "delete from ci_name using unnest($1::text[]) as changed (item) where ci_name.item = changed.item"
_NAME: Final = """
insert into ci_name (name, item, rank)
select name, item, min(rank) from unnest($1::text[], $2::text[], $3::smallint[]) as new (name, item, rank)
group by name, item order by name, item
"""
_CLASSES: Final = """
insert into ci_class (key, is_service) select * from unnest($1::text[], $2::boolean[]) order by 1
on conflict (key) do update set is_service = excluded.is_service
"""
_RELATE: Final = """
insert into ci_relation (relation, dependent, dependency) select * from unnest($1::text[], $2::text[], $3::text[])
order by 1
on conflict (relation) do update set dependent = excluded.dependent, dependency = excluded.dependency
"""
_UNRELATE: Final = "delete from ci_relation using unnest($1::text[]) as ended (id) where relation = ended.id"


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as its events left it."""

    item: str
    key: str = ""
    name: str = ""
    item_class: str | None = None
    criticality: str | None = None
    lifecycle: str | None = None
    organisation: str | None = None
    owner_team: str | None = None
    merged_into: str | None = None
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def names(self) -> list[tuple[str, str, int]]:
        """Name, item and rank of everything that it is called; nothing where it is not in use any more."""
        if self.merged_into is not None or self.lifecycle == "retired" or not self.key:
            return []
        ranked = ((self.key.lower(),), self.aliases, self.addresses)
        return [(name, self.item, rank) for rank, names in enumerate(ranked) for name in names]


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """A few statements, whatever the number of events."""
    events = [(envelope.subject, decode(envelope)) for envelope in envelopes]
    classes: dict[str, bool] = {}
    relations: dict[str, tuple[str, str] | None] = {}
    concerned: list[tuple[str, Any]] = []
    for subject, event in events:
        match event:
            case ConfigurationItemClassDefined():
                classes[event.key] = event.is_service
            case ConfigurationItemsRelated():
                relations[subject] = _ends(event)
            case ConfigurationItemsUnrelated():
                relations[subject] = None
            case _:
                concerned.append((subject, event))
    if concerned:
        await _items(connection, concerned)
    if classes:
        await connection.execute(_CLASSES, list(classes), list(classes.values()))
    if relations:
        await _relations(connection, relations)


def _ends(event: ConfigurationItemsRelated) -> tuple[str, str] | None:
    """Dependent and dependency; None where neither suffers."""
    if event.impact == "none":
        return None
    return (event.source, event.target) if event.impact == "source_depends" else (event.target, event.source)


async def _relations(connection: Any, relations: dict[str, tuple[str, str] | None]) -> None:
    standing = [(relation, *ends) for relation, ends in relations.items() if ends is not None]
    if standing:
        await connection.execute(_RELATE, *(list(column) for column in zip(*standing, strict=True)))
    if ended := [relation for relation, ends in relations.items() if ends is None]:
        await connection.execute(_UNRELATE, ended)


async def _items(connection: Any, events: Sequence[tuple[str, Any]]) -> None:
    changed = dict.fromkeys(subject for subject, _ in events)
    wanted = {*changed, *(event.duplicate for _, event in events if isinstance(event, ConfigurationItemAbsorbed))}
    rows = {item: ItemRow(item) for item in wanted}
    for record in await connection.fetch(_LOAD, sorted(wanted)):
        told = dict(record)
        lists = {name: tuple(told[name]) for name in ("aliases", "addresses")}
        rows[told["item"]] = ItemRow(**{**told, **lists})
    for subject, event in events:
        rows[subject] = _after(rows[subject], event, rows)
    written = [asdict(rows[item]) for item in sorted(changed)]
    await connection.execute(_UPSERT, json.dumps(written, ensure_ascii=False))
    await connection.execute(_UNNAME, sorted(changed))
    if names := [found for item in sorted(changed) for found in rows[item].names()]:
        await connection.execute(_NAME, *(list(column) for column in zip(*names, strict=True)))


def _after(row: ItemRow, event: Any, rows: dict[str, ItemRow]) -> ItemRow:
    match event:
        case ItemFacts():
            told = {name: getattr(event, name) for name in _FACTS}
            return replace(row, **told, addresses=_addresses(event.identifiers))
        case ConfigurationItemOwnerNamed():
            return replace(row, key=event.key, owner_team=event.owner_team)
        case ConfigurationItemStocked():
            return replace(row, key=event.key, lifecycle="in_stock")
        case ConfigurationItemCommissioned():
            return replace(row, key=event.key, lifecycle="operational")
        case ConfigurationItemRetired():
            return replace(row, key=event.key, lifecycle="retired")
        case ConfigurationItemMerged():
            return replace(row, key=event.key, merged_into=event.into)
        case ConfigurationItemAbsorbed():
            aliases = {*row.aliases, *rows[event.duplicate].aliases, event.duplicate_key.lower()}
            return replace(row, key=event.key, aliases=tuple(sorted(aliases)), addresses=_addresses(event.identifiers))
        case _:
            return row


def _addresses(identifiers: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({found.value.lower() for found in identifiers if found.kind in ADDRESSES}))


READS: Final = frozenset(
    event.type_name
    for event in (
        ConfigurationItemClassDefined,
        ConfigurationItemRegistered,
        ConfigurationItemDescribed,
        ConfigurationItemEditUndone,
        ConfigurationItemOwnerNamed,
        ConfigurationItemStocked,
        ConfigurationItemCommissioned,
        ConfigurationItemRetired,
        ConfigurationItemMerged,
        ConfigurationItemAbsorbed,
        ConfigurationItemsRelated,
        ConfigurationItemsUnrelated,
    )
)
ITEMS: Final = Projection(
    name="items",
    version=2,
    reads=READS,
    tables=(
        Table("ci", ("item",)),
        Table("ci_name", ("name", "item")),
        Table("ci_class", ("key",)),
        Table("ci_relation", ("relation",)),
    ),
    apply=apply,
)


async def _handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
    await apply(transaction.connection, envelopes)


ITEMS_SUBSCRIPTION: Final = Subscription(
    name="items", version=2, contexts=("cmdb",), reads=READS, handle=_handle, projections=(ITEMS,)
)
