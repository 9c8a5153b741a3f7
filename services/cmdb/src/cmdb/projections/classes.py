"""Read model `class_definition` (inline): the classes as they are defined now."""

import json
from collections.abc import Sequence
from typing import Any, Final

from cmdb.domain.classes import ClassDefinition
from opsledger_events import Envelope, decode
from opsledger_events.contexts.cmdb import AttributeDefinition, ConfigurationItemClassDefined
from opsledger_runtime.errors import FieldError, Invalid
from opsledger_runtime.projections import Projection, Table

_UPSERT: Final = """
insert into class_definition (key, revision, version, name_zh, name_en, attributes, needs_administrator,
  needs_database_administrator, is_service)
values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9)
on conflict (key) do update set (revision, version, name_zh, name_en, attributes, needs_administrator,
  needs_database_administrator, is_service) = ($2, $3, $4, $5, $6::jsonb, $7, $8, $9)
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Definitions are few: one statement each."""
    for envelope in envelopes:
        event = decode(envelope)
        assert isinstance(event, ConfigurationItemClassDefined)  # noqa: S101 - it reads nothing else
        await connection.execute(
            _UPSERT,
            event.key,
            event.revision,
            envelope.aggregateversion,
            event.name_zh,
            event.name_en,
            json.dumps([one.model_dump(mode="json", exclude_none=True) for one in event.attributes]),
            event.needs_administrator,
            event.needs_database_administrator,
            event.is_service,
        )


def from_record(record: Any) -> ClassDefinition:
    """A definition as the table holds it."""
    return ClassDefinition(
        record["key"],
        record["name_zh"],
        record["name_en"],
        tuple(AttributeDefinition.model_validate(one) for one in json.loads(record["attributes"])),
        record["needs_administrator"],
        record["needs_database_administrator"],
        record["is_service"],
    )


async def every(connection: Any) -> dict[str, ClassDefinition]:
    """All classes by key."""
    return {row["key"]: from_record(row) for row in await connection.fetch("select * from class_definition")}


async def the(connection: Any, key: str) -> ClassDefinition:
    """One class.

    Raises:
        Invalid: there is none (`no_such_class`).
    """
    record = await connection.fetchrow("select * from class_definition where key = $1", key)
    if record is None:
        raise no_such_class(key)
    return from_record(record)


def no_such_class(key: str) -> Invalid:
    """What is said of an unknown class."""
    told = f"There is no class “{key}”. GET /classes lists them; define it first or choose another."
    return Invalid(told, [FieldError("/item_class", told)], code="no_such_class")


CLASSES: Final = Projection(
    name="classes",
    version=1,
    reads=frozenset({ConfigurationItemClassDefined.type_name}),
    tables=(Table("class_definition", ("key",)),),
    apply=apply,
)
