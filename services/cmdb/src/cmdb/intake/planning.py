"""What a line wants of the register, before anything is written: a new item, a known one as it should be, or a refusal.

A file's lines name items by key and are a person's word. A discovery run's lines are matched, and are a machine's word:
of a known item they change attributes and identifiers, never who answers for it, how critical it is, or its life.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cmdb import handlers
from cmdb.domain.classes import ClassDefinition, parsed, require_conforming
from cmdb.domain.commands import (
    CommissionItem,
    DescribeItem,
    ItemCommand,
    NameOwner,
    RegisterItem,
    RetireItem,
    StockItem,
)
from cmdb.domain.facts import Facts, merged_identifiers, name_of
from cmdb.finding import Named
from cmdb.intake.line import Ambiguous, Line
from cmdb.intake.matching import Known
from cmdb.projections.classes import no_such_class
from cmdb.projections.item_row import ItemRow
from cmdb.settings import Rule
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import FieldError, Invalid, RuleViolated

CSV: Final = "csv"
_OWNER: Final = ("owner_team", "administrator", "database_administrator")
_DESCRIBED: Final = ("name", "item_class", "environment", "criticality", "organisation")


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a line: `row` is the known item, None for a new one; no commands, nothing to do."""

    line: Line
    row: ItemRow | None
    facts: Facts
    commands: tuple[ItemCommand, ...]


@dataclass(slots=True)
class Planner:
    """Plans the lines of one source. `seen`: which line spoke of an item first; two lines never change one item."""

    source: str
    rules: Sequence[Rule]
    caller: Caller
    definitions: Mapping[str, ClassDefinition]
    known: Known = field(init=False)
    seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = Known(self.caller.sees)

    @property
    def source_kind(self) -> str:
        """The kind of identifier that holds the source's own ids."""
        return f"source:{self.source}"

    def plan(self, line: Line, names: Mapping[str, Named], item: str) -> Plan:
        """What the line wants; `item` is its id, should it be new.

        Raises:
            Ambiguous: it may be one of several known items, or is none of those that it looks like.
            Invalid, RuleViolated, Forbidden: it cannot go in.
        """
        row = self._by_key(line, names) if self.source == CSV else self._by_rules(line, names)
        places = [name_of(line.key or ""), item] if row is None else [row.id]
        for place in places:
            if (before := self.seen.get(place)) is not None:
                raise RuleViolated(f"Line {before} speaks of the same item. Leave one of them out.", rule="line_twice")
        plan = self._new(line, names) if row is None else self._changed(line, row)
        self.seen.update(dict.fromkeys(places, line.number))
        return plan

    def _by_key(self, line: Line, names: Mapping[str, Named]) -> ItemRow | None:
        named = names.get(name_of(line.key or ""))
        if named is not None and named.kind != "former" and not self.caller.sees(named.row.facts.organisation):
            raise handlers.key_taken(line.key or "")
        if named is not None and named.kind == "alias":
            raise RuleViolated(
                f"The item with this key was merged into “{named.row.facts.key}”. Use that key.", rule="key_was_merged"
            )
        gone = line.stated.get("lifecycle") == "retired"
        if named is not None and (named.kind == "key" or (gone and self.caller.sees(named.row.facts.organisation))):
            return named.row
        rules = [rule for rule in self.rules if not {"key", "source_id"} & set(rule)]
        if alike := self.known.matches(line, rules, self.source_kind, {}):
            raise Ambiguous(
                f"No item has this key, and by its identifiers it may be {_named(alike)}. Use that key, or correct the"
                " identifiers.",
                code="known_by_another_key",
                about=_named(alike),
            )
        return None

    def _by_rules(self, line: Line, names: Mapping[str, Named]) -> ItemRow | None:
        found = self.known.matches(line, self.rules, self.source_kind, names)
        if len(found) > 1:
            told = f"It may be any of {_named(found)}. Merge them or correct one."
            raise Ambiguous(told, code="several_match", about=_named(found))
        return found[0] if found else None

    def _new(self, line: Line, names: Mapping[str, Named]) -> Plan:
        key = line.key
        if key is None:
            raise Invalid("The line names no key.", [FieldError("/key", "Write the key.")], code="line_invalid")
        if (named := names.get(name_of(key))) is not None and named.kind != "former":
            raise Ambiguous(
                f"The key “{key}” names another item, which nothing else says this is. Give the item an identifier of"
                " this one, or another key.",
                code="key_of_another",
                about=_named([named.row]),
            )
        missing = [one for one in ("name", "item_class") if one not in line.stated]
        if missing:
            told = [FieldError(f"/{one}", "A new item needs it.") for one in missing]
            raise Invalid(f"A new item needs {' and '.join(missing)}.", told, code="line_invalid")
        organisation = self.caller.acting_for(line.stated.get("organisation"))
        definition = self._definition(line.stated["item_class"])
        stated: dict[str, Any] = {"lifecycle": "operational", **line.stated, "organisation": organisation}
        facts = Facts(key=key, **stated, attributes=_parsed(line, definition), identifiers=line.identifiers)
        require_conforming(definition, facts.attributes)
        if facts.lifecycle == "retired":
            raise RuleViolated(
                "What is gone already is not registered. Leave it out, or write what it is.", rule="retired_is_not_new"
            )
        return Plan(line, None, facts, (RegisterItem(facts, definition, self.source),))

    def _changed(self, line: Line, row: ItemRow) -> Plan:
        before = row.facts
        if before.lifecycle == "retired":
            return Plan(line, row, before, ())  # a file may go on naming what is gone
        stated: dict[str, Any] = dict(line.stated) if self.source == CSV else {}
        definition = self._definition(stated.get("item_class", before.item_class))
        kinds = {one.kind for one in line.identifiers}
        kept = tuple(one for one in before.identifiers if one.kind not in kinds)
        facts = replace(
            before,
            **stated,
            attributes={**before.attributes, **_parsed(line, definition)},
            identifiers=merged_identifiers(kept, line.identifiers),
        )
        if facts.organisation != before.organisation:
            self.caller.require(facts.organisation)
        commands: list[ItemCommand] = []
        described = replace(facts, **{name: getattr(before, name) for name in (*_OWNER, "lifecycle")})
        if described != before:
            require_conforming(definition, facts.attributes)
            told = {name: getattr(facts, name) for name in _DESCRIBED if name != "item_class"}
            attributes = dict(facts.attributes)
            commands.append(
                DescribeItem(
                    key=before.key,
                    definition=definition,
                    attributes=attributes,
                    identifiers=facts.identifiers,
                    source=self.source,
                    **told,
                )
            )
        owner = {name: getattr(facts, name) for name in _OWNER}
        if owner != {name: getattr(before, name) for name in _OWNER}:
            commands.append(NameOwner(**owner))
        if facts.lifecycle != before.lifecycle:
            commands.append(_to(facts.lifecycle))
        return Plan(line, row, facts, tuple(commands))

    def _definition(self, key: str) -> ClassDefinition:
        if key not in self.definitions:
            raise no_such_class(key)
        return self.definitions[key]


def _to(lifecycle: str) -> ItemCommand:
    match lifecycle:
        case "in_stock":
            return StockItem()
        case "operational":
            return CommissionItem()
        case "retired":
            return RetireItem()
    raise RuleViolated("What was in store or in operation is not planned again.", rule="not_planned_again")


def _parsed(line: Line, definition: ClassDefinition) -> dict[str, Any]:
    known = {one.key: one for one in definition.attributes}
    return {
        key: parsed(known[key], value) if key in known and isinstance(value, str) else value
        for key, value in line.attributes.items()
    }


def _named(rows: Sequence[ItemRow]) -> str:
    return ", ".join(f"“{row.facts.key}”" for row in rows[:5])
