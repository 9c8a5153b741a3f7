"""What travels over this context's HTTP API: request bodies and answers. Instants are RFC 3339 with an offset."""

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from cmdb.domain.classes import CLASS_KEY
from cmdb.domain.facts import Identified, merged_identifiers
from cmdb.domain.naming import IDENTIFIER_KIND, KEY_RULE, MOST_IDENTIFIERS, is_key, tidy
from opsledger_events.contexts.cmdb import (
    AttributeKind,
    AttributeValue,
    Criticality,
    Environment,
    Lifecycle,
    RelationType,
)
from opsledger_events.envelope import parse_instant
from opsledger_events.names import Name, OpaqueId

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")


def _key(text: str) -> str:
    text = tidy(text)
    if not is_key(text):
        raise ValueError(KEY_RULE)
    return text


def _query_instant(value: Any) -> Any:
    # A plus that was not percent-encoded arrives as a blank.
    text = _LOST_PLUS.sub("+", value) if isinstance(value, str) else ""
    if _RFC3339.fullmatch(text) is None or not 1970 <= int(text[:4]) <= 9998:
        raise ValueError("Give an RFC 3339 instant with an offset, for example 2026-11-22T08:30:00+08:00.")
    return parse_instant(text.upper())


ItemKey = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_key)]
ClassKey = Annotated[str, Field(pattern=CLASS_KEY)]
ItemRef = Annotated[str, Field(min_length=1, max_length=200, description="An item's id, its key, or an alias.")]
QueryInstant = Annotated[
    datetime, BeforeValidator(_query_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]
Value = (
    Annotated[bool, Field(strict=True)] | Annotated[int, Field(strict=True)] | Annotated[str, Field(max_length=2000)]
)
AttributeKey = Annotated[str, Field(max_length=40)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IdentifierBody(_Body):
    """How somebody else names the item: `serial`, `fqdn`, `ip`, `mac`, `asset`, or `source:<name>`."""

    kind: Annotated[str, Field(pattern=IDENTIFIER_KIND)]
    value: Name


class Describe(_Body):
    """What is said of an item. What is left out is taken away."""

    key: ItemKey
    name: Name
    item_class: ClassKey
    environment: Environment = "production"
    criticality: Criticality = "medium"
    organisation: OpaqueId | None = None
    attributes: Annotated[dict[AttributeKey, Value], Field(max_length=100)] = {}
    identifiers: Annotated[list[IdentifierBody], Field(max_length=MOST_IDENTIFIERS)] = []

    def identified(self) -> tuple[Identified, ...]:
        """The identifiers in order, each once."""
        return merged_identifiers(tuple(Identified(one.kind, one.value) for one in self.identifiers))


class Register(Describe):
    """A new item, with who answers for it where that is known (R34)."""

    lifecycle: Literal["planned", "in_stock", "operational"] = "planned"
    owner_team: OpaqueId | None = None
    administrator: OpaqueId | None = None
    database_administrator: OpaqueId | None = None


class Owner(_Body):
    """Who answers for the item from now on; what is left out is taken away."""

    owner_team: OpaqueId | None = None
    administrator: OpaqueId | None = None
    database_administrator: OpaqueId | None = None


class Retire(_Body):
    """Why it is gone."""

    reason: Reason | None = None


class Undo(_Body):
    """Which edit is taken back: the version that it led to, as /events shows it."""

    version: Annotated[int, Field(strict=True, ge=1, lt=2**31)]


class Merge(_Body):
    """The item that stands for the duplicate from now on."""

    into: ItemRef


class Relate(_Body):
    """Two items and how they are related."""

    source: ItemRef
    relation: RelationType
    target: ItemRef


class Unrelate(_Body):
    """Why it ended."""

    reason: Reason | None = None


class AttributeBody(_Body):
    """An attribute that items of the class may or must have. Bounds are of whole numbers, and of texts' lengths."""

    key: Annotated[str, Field(max_length=100)]
    name_zh: Annotated[str, Field(max_length=200)]
    name_en: Annotated[str, Field(max_length=200)]
    kind: AttributeKind
    required: Annotated[bool, Field(strict=True)] = False
    choices: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)] = []
    minimum: Annotated[int, Field(strict=True)] | None = None
    maximum: Annotated[int, Field(strict=True)] | None = None
    pattern: Annotated[str, Field(max_length=10_000)] | None = None


class ClassBody(_Body):
    """A class of items: what its items say, and who must answer for them (R34)."""

    name_zh: Name
    name_en: Name
    attributes: Annotated[list[AttributeBody], Field(max_length=1000)] = []
    needs_administrator: Annotated[bool, Field(strict=True)] = False
    needs_database_administrator: Annotated[bool, Field(strict=True)] = False
    is_service: Annotated[bool, Field(strict=True)] = False


class ClassView(ClassBody):
    """A class as it is defined now."""

    key: str
    revision: int
    version: int


class Identification(BaseModel):
    """An identifier of an item."""

    kind: str
    value: str


class ItemView(BaseModel):
    """An item in lists and in answers to commands."""

    id: str
    key: str
    name: str
    item_class: str
    environment: Environment
    criticality: Criticality
    lifecycle: Lifecycle
    organisation: str | None
    owner_team: str | None
    administrator: str | None
    database_administrator: str | None
    attributes: dict[str, AttributeValue]
    identifiers: list[Identification]
    merged_into: str | None
    version: int
    registered_at: str
    changed_at: str


class RelationView(BaseModel):
    """A relation. `impact`: which end suffers when the other fails. `valid_to` is null while it stands."""

    id: str
    relation: str
    source: str
    source_key: str
    target: str
    target_key: str
    impact: str
    valid_from: str
    valid_to: str | None


class ItemDetail(ItemView):
    """An item with its relations, in and out, at most 200; /relations has them all, in pages."""

    relations: list[RelationView]
    more_relations: bool


class LeftOut(BaseModel):
    """A relation that could not be taken over or taken up again, and why."""

    relation: str
    source: str
    target: str
    code: str
    reason: str


class ItemChanged(ItemView):
    """An item after an undo or a merge: how many relations came with it, and which could not."""

    relations_carried: int
    relations_left: list[LeftOut]


class RelationTypeView(BaseModel):
    """A type of relation: which built-in classes go together, and what an item may have one of."""

    relation: str
    name_zh: str
    name_en: str
    impact: str
    pairs: list[dict[str, list[str]]]
    one_target_for: list[str]
    no_circle: bool
