"""HTTP to classes and types of relations, and to items that no longer conform to their class."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from cmdb import handlers
from cmdb.domain.classes import CLASS, ClassDefinition, problems_of
from cmdb.domain.relations import BUILT_IN, KINDS
from cmdb.projections import classes
from cmdb.projections.item_row import from_record
from cmdb.seed import class_id
from cmdb.wire import ClassBody, ClassKey, ClassView, RelationTypeView
from opsledger_events.contexts.cmdb import AttributeDefinition
from opsledger_runtime.errors import Forbidden, NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Doors, Limit, Look, Page, Problem, decode_cursor
from opsledger_runtime.http.pages import encode_cursor
from opsledger_runtime.store import Transaction

_LOOKED_THROUGH: Final = 2000
"""Items of a class that one page of those that do not conform looks at."""

_CLASS: Final[dict[int | str, dict[str, Any]]] = {200: {"model": ClassView}}


class NotConforming(BaseModel):
    """An item that its class's present definition would refuse, and what is wrong with it."""

    id: str
    key: str
    problems: list[dict[str, str]]


def add_classes(router: APIRouter, doors: Doors) -> None:
    """The endpoints of classes."""

    @router.get("/classes")
    async def list_classes(
        look: Annotated[Look, doors.query("class.read")], limit: Limit = 50, cursor: Cursor = None
    ) -> Page[ClassView]:
        """Classes by key."""
        after = None if cursor is None else decode_cursor(cursor, str)[0]
        rows = await look.pool.fetch(
            "select * from class_definition where $1::text is null or key > $1 order by key limit $2", after, limit + 1
        )
        return look.page(rows, limit, lambda row: (row["key"],), _view)

    @router.get("/classes/{key}", responses=_CLASS)
    async def get_class(key: ClassKey, look: Annotated[Look, doors.query("class.read")]) -> Response:
        """A class and its version."""
        row = await _record(look, key)
        return look.answer(_view(row), version=row["version"])

    @router.put("/classes/{key}", responses=_CLASS)
    async def put_class(key: ClassKey, body: ClassBody, ask: Annotated[Ask, doors.command("class.define")]) -> Response:
        """Define a class, or replace its definition (If-Match). Items stay; those that no longer conform are listed."""
        if ask.caller.organisations is not None:
            raise Forbidden("Classes are shared by all organisations; your token is limited to some.")
        attributes = tuple(AttributeDefinition(**one.model_dump()) for one in body.attributes)
        command = ClassDefinition(key, **{**body.model_dump(), "attributes": attributes})

        async def work(tx: Transaction) -> Answer:
            await handlers.alone(tx)
            before = await tx.load(CLASS, class_id(key))
            if before.version and ask.expected_version is None:
                raise Problem("if_match_required")
            await tx.execute(
                CLASS, class_id(key), command, ask.metadata(), expected_version=ask.expected_version, loaded=before
            )
            after = await tx.load(CLASS, class_id(key))
            shown = ClassView(**body.model_dump(), key=key, revision=after.state.revision, version=after.version)
            location = None if before.version else f"/api/cmdb/v1/classes/{key}"
            return Answer(shown, status=200 if before.version else 201, version=after.version, location=location)

        return await ask.run(work)

    @router.get("/classes/{key}/not-conforming")
    async def not_conforming(
        key: ClassKey, look: Annotated[Look, doors.query("item.read")], limit: Limit = 50, cursor: Cursor = None
    ) -> Page[NotConforming]:
        """Items that the class's present definition would refuse; a page may be short and have a next one."""
        definition = classes.from_record(await _record(look, key))
        after = None if cursor is None else decode_cursor(cursor, str)[0]
        rows = await look.pool.fetch(
            "select * from item where item_class = $1 and merged_into is null and lifecycle <> 'retired'"
            " and ($2::text[] is null or organisation = any($2)) and ($3::text is null or id > $3)"
            " order by id limit $4",
            key,
            look.organisations(),
            after,
            _LOOKED_THROUGH,
        )
        found: list[NotConforming] = []
        for row in map(from_record, rows):
            after = row.id
            problems = problems_of(definition, row.facts.attributes)
            if problems:
                told = [{"pointer": one.pointer, "detail": one.detail} for one in problems]
                found.append(NotConforming(id=row.id, key=row.facts.key, problems=told))
                if len(found) == limit:
                    break
        looked_at_all = len(rows) < _LOOKED_THROUGH and (not rows or after == rows[-1]["id"])
        return Page(items=found, next=None if looked_at_all else encode_cursor([after]))

    @router.get("/relation-types")
    async def relation_types(look: Annotated[Look, doors.query("class.read")]) -> list[RelationTypeView]:
        """How items may be related; a class that is not built in may stand at either end of any."""
        return [
            RelationTypeView(
                relation=kind.relation,
                name_zh=kind.name_zh,
                name_en=kind.name_en,
                impact=kind.impact,
                pairs=[{"sources": sorted(sources), "targets": sorted(targets)} for sources, targets in kind.pairs],
                one_target_for=sorted(BUILT_IN) if kind.one_target is None else sorted(kind.one_target),
                no_circle=kind.no_cycle,
            )
            for kind in KINDS.values()
        ]


async def _record(look: Look, key: str) -> Any:
    row = await look.pool.fetchrow("select * from class_definition where key = $1", key)
    if row is None:
        raise NotFound(f"There is no class “{key}”.")
    return row


def _view(row: Any) -> ClassView:
    told = {name: row[name] for name in ClassView.model_fields if name != "attributes"}
    return ClassView(**told, attributes=json.loads(row["attributes"]))
