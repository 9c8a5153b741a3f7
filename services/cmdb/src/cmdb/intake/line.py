"""One line of a file or of a discovery run, before anybody knows whether there is such an item. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from cmdb.domain.facts import Identified
from cmdb.domain.naming import KEY_RULE, is_identifier_kind, is_key
from opsledger_events.contexts.cmdb import Criticality, Environment, Lifecycle, RelationType
from opsledger_events.names import is_name, is_opaque_id
from opsledger_runtime.errors import DomainError, FieldError, Invalid

Outcome = Literal["registered", "changed", "unchanged", "ambiguous", "rejected"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "environment": get_args(Environment),
    "criticality": get_args(Criticality),
    "lifecycle": get_args(Lifecycle),
}
_OPAQUE: Final = ("organisation", "owner_team", "administrator", "database_administrator")
STATED: Final = ("name", "item_class", *_CHOICES, *_OPAQUE)
"""What a line may state beside key, attributes, identifiers and relations."""


class Ambiguous(DomainError):
    """It may be one of several items, and a person has to say which."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says. `attributes` of a file are texts still; a relation's target is named as the source names it."""

    number: int
    key: str | None = None
    stated: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    identifiers: tuple[Identified, ...] = ()
    relations: tuple[tuple[RelationType, str], ...] = ()
    refusal: DomainError | None = None

    @property
    def shown(self) -> str | None:
        """By what a person finds it again."""
        return self.key or self.stated.get("name")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a line, or one of its relations, did not go in. `outcome`: `rejected`, `ambiguous`, `relation_refused`."""

    line: int
    key: str | None
    outcome: str
    refusal: DomainError


@dataclass(slots=True)
class Report:
    """What became of the lines; the five counts add up to `received`."""

    received: int = 0
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    related: int = 0
    troubles: list[Trouble] = field(default_factory=list)

    def refuse(self, line: Line, refusal: DomainError) -> None:
        """A line that did not go in."""
        outcome: Outcome = "ambiguous" if isinstance(refusal, Ambiguous) else "rejected"
        self.counts[outcome] += 1
        self.troubles.append(Trouble(line.number, line.shown, outcome, refusal))


def refusal_of(line: Line) -> Invalid | None:
    """What is wrong with a line in itself, whatever is known already."""
    found: list[FieldError] = []
    if line.key is not None and not is_key(line.key):
        found.append(FieldError("/key", KEY_RULE))
    if "name" in line.stated and not is_name(line.stated["name"]):
        found.append(FieldError("/name", "Write a name of one visible line of at most 200 characters."))
    for name, choices in _CHOICES.items():
        if name in line.stated and line.stated[name] not in choices:
            found.append(FieldError(f"/{name}", f"Write one of: {', '.join(choices)}."))
    found += [
        FieldError(f"/{name}", "Write an id of at most 64 letters, digits, `.`, `_` or `-`.")
        for name in _OPAQUE
        if name in line.stated and not is_opaque_id(line.stated[name])
    ]
    found += [
        FieldError(f"/identifiers/{one.kind}", "Write the kind in small letters and a value of one visible line.")
        for one in line.identifiers
        if not is_identifier_kind(one.kind) or not is_name(one.value)
    ]
    return invalid_line(found) if found else None


def invalid_line(found: Sequence[FieldError]) -> Invalid:
    """The refusal of a line by what is wrong in it."""
    told = "; ".join(f"{one.pointer[1:]}: {one.detail}" for one in found)
    return Invalid(f"The line cannot be used. {told}", list(found), code="line_invalid")
