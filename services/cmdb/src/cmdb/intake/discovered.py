"""What a discovery source found, as JSON, to lines. Pure. One thing that cannot be read does not stop the others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cmdb.domain.facts import Identified, merged_identifiers
from cmdb.domain.naming import is_key, tidy
from cmdb.intake.line import Line, invalid_line, refusal_of
from cmdb.wire import AttributeKey, IdentifierBody, Value
from opsledger_events.contexts.cmdb import Criticality, Environment, RelationType
from opsledger_runtime.errors import FieldError

MOST_THINGS: Final = 10_000


class FoundRelation(BaseModel):
    """How a found thing is related to another; `target` is that one's own id at the source."""

    model_config = ConfigDict(extra="forbid")

    relation: RelationType
    target: Annotated[str, Field(min_length=1, max_length=200)]


class Thing(BaseModel):
    """A thing that a source found. `id` is the source's own; without a key its name has to do."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=200)]
    key: Annotated[str, Field(max_length=200)] | None = None
    name: Annotated[str, Field(max_length=200)]
    item_class: Annotated[str, Field(max_length=40)]
    environment: Environment | None = None
    criticality: Criticality | None = None
    organisation: Annotated[str, Field(max_length=64)] | None = None
    attributes: Annotated[dict[AttributeKey, Value], Field(max_length=100)] = {}
    identifiers: Annotated[list[IdentifierBody], Field(max_length=49)] = []
    relations: Annotated[list[FoundRelation], Field(max_length=500)] = []


_THING: Final = TypeAdapter(Thing)
_STATED: Final = ("name", "item_class", "environment", "criticality", "organisation")


def read(things: Sequence[Any], source_kind: str) -> list[Line]:
    """A line for each thing, numbered from 1; `Line.refusal` says what is wrong with one."""
    return [_line(number, thing, source_kind) for number, thing in enumerate(things, 1)]


def _line(number: int, given: Any, source_kind: str) -> Line:
    try:
        thing = _THING.validate_python(given)
    except ValidationError as error:
        told = [FieldError("/" + "/".join(map(str, one["loc"])), one["msg"]) for one in error.errors()[:20]]
        name = given.get("name") if isinstance(given, dict) else None
        shown = {"name": name[:200]} if isinstance(name, str) else {}
        return Line(number, stated=shown, refusal=invalid_line(told))
    key = tidy(thing.key if thing.key is not None else thing.name)
    stated = {name: value for name in _STATED if (value := getattr(thing, name)) is not None}
    own = Identified(source_kind, thing.id)
    identifiers = merged_identifiers(tuple(Identified(one.kind, one.value) for one in thing.identifiers), (own,))
    line = Line(
        number,
        key if thing.key is not None or is_key(key) else None,
        stated,
        thing.attributes,
        identifiers,
        tuple((one.relation, one.target) for one in thing.relations),
    )
    return replace(line, refusal=refusal_of(line))
