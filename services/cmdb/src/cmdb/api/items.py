"""HTTP to commands and queries of items. Holds no rule: the decider refuses, the runtime's doors guard."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from cmdb import finding, handlers
from cmdb.domain.commands import CommissionItem, DescribeItem, ItemCommand, NameOwner, RetireItem, StockItem, UndoEdit
from cmdb.domain.facts import Facts
from cmdb.messages import worded
from cmdb.projections import classes
from cmdb.projections.item_row import ItemRow, from_record, shown
from cmdb.reading import relation_view, relations_of
from cmdb.relating import Carried
from cmdb.wire import (
    ClassKey,
    Describe,
    ItemChanged,
    ItemDetail,
    ItemView,
    LeftOut,
    Merge,
    Owner,
    QueryInstant,
    Register,
    RelationView,
    Retire,
    Undo,
)
from opsledger_events import Envelope
from opsledger_events.contexts.cmdb import Criticality, Environment, Lifecycle
from opsledger_events.names import Name
from opsledger_runtime.http import Answer, Ask, Cursor, Doors, Limit, Look, Page, decode_cursor, version_after
from opsledger_runtime.store import Transaction

HOME: Final = "/api/cmdb/v1/items"
_SHOWN_RELATIONS: Final = 200

ItemPath = Annotated[str, Path(max_length=200, description="The item's id, its key, or an alias.")]
Filter = Annotated[Name | None, Query()]
_ITEM: Final[dict[int | str, dict[str, Any]]] = {200: {"model": ItemView}}
_NEW: Final[dict[int | str, dict[str, Any]]] = {201: {"model": ItemView}}
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {200: {"model": ItemChanged}}
_DETAIL: Final[dict[int | str, dict[str, Any]]] = {200: {"model": ItemDetail}}


def add_items(router: APIRouter, doors: Doors) -> None:
    """The endpoints of items."""
    _add_registering(router, doors)
    _add_actions(router, doors)
    _add_queries(router, doors)


def _add_registering(router: APIRouter, doors: Doors) -> None:
    @router.post("/items", status_code=201, responses=_NEW)
    async def register(body: Register, ask: Annotated[Ask, doors.command("item.write")]) -> Response:
        """Register an item."""
        organisation = ask.caller.acting_for(body.organisation)

        async def work(tx: Transaction) -> Answer:
            given = body.model_dump(exclude={"identifiers", "organisation"})
            facts = Facts(**given, organisation=organisation, identifiers=body.identified())
            definition = await classes.the(tx.connection, body.item_class)
            row = await handlers.register(tx, facts, definition, ask.metadata(organisation))
            return Answer(shown(row), status=201, version=row.version, location=f"{HOME}/{row.id}")

        return await ask.run(work)

    @router.put("/items/{item}", responses=_ITEM)
    async def describe(
        item: ItemPath, body: Describe, ask: Annotated[Ask, doors.command("item.write", if_match=True)]
    ) -> Response:
        """Replace what is said of an item (If-Match); who answers for it and its life cycle stay as they are."""
        organisation = ask.caller.acting_for(body.organisation)

        async def work(tx: Transaction) -> Answer:
            command = DescribeItem(
                body.key,
                body.name,
                await classes.the(tx.connection, body.item_class),
                body.environment,
                body.criticality,
                organisation,
                body.attributes,
                body.identified(),
            )
            return await _acted(tx, ask, item, command)

        return await ask.run(work)


def _add_actions(router: APIRouter, doors: Doors) -> None:
    @router.post("/items/{item}/owner", responses=_ITEM)
    async def owner(item: ItemPath, body: Owner, ask: Annotated[Ask, doors.command("item.write")]) -> Response:
        """Name the team and the people that answer for it (R34)."""
        return await _act(ask, item, NameOwner(body.owner_team, body.administrator, body.database_administrator))

    @router.post("/items/{item}/stock", responses=_ITEM)
    async def stock(item: ItemPath, ask: Annotated[Ask, doors.command("item.write")]) -> Response:
        """Into store."""
        return await _act(ask, item, StockItem())

    @router.post("/items/{item}/commission", responses=_ITEM)
    async def commission(item: ItemPath, ask: Annotated[Ask, doors.command("item.write")]) -> Response:
        """Into operation."""
        return await _act(ask, item, CommissionItem())

    @router.post("/items/{item}/retire", responses=_ITEM)
    async def retire(
        item: ItemPath, ask: Annotated[Ask, doors.command("item.write")], body: Retire | None = None
    ) -> Response:
        """Gone for good; its relations end with it."""
        return await _act(ask, item, RetireItem(body.reason if body else None))

    @router.post("/items/{item}/undo", responses=_CHANGED)
    async def undo(item: ItemPath, body: Undo, ask: Annotated[Ask, doors.command("item.write")]) -> Response:
        """Take back what one edit changed, by a new event; relations that ended with it are taken up again."""

        async def work(tx: Transaction) -> Answer:
            row, carried = await handlers.act(
                tx, item, ask.caller, UndoEdit(body.version), ask.metadata(), expected_version=ask.expected_version
            )
            return Answer(_changed(row, carried, ask), version=row.version)

        return await ask.run(work)

    @router.post("/items/{item}/merge", responses=_CHANGED)
    async def merge(item: ItemPath, body: Merge, ask: Annotated[Ask, doors.command("item.write")]) -> Response:
        """This item is a duplicate: another stands for it from now on. The answer is that other one."""

        async def work(tx: Transaction) -> Answer:
            row, carried = await handlers.merge(
                tx, item, body.into, ask.caller, ask.metadata(), expected_version=ask.expected_version
            )
            return Answer(_changed(row, carried, ask), version=row.version)

        return await ask.run(work)


async def _act(ask: Ask, item: str, command: ItemCommand) -> Response:
    async def work(tx: Transaction) -> Answer:
        return await _acted(tx, ask, item, command)

    return await ask.run(work)


async def _acted(tx: Transaction, ask: Ask, item: str, command: ItemCommand) -> Answer:
    row, _ = await handlers.act(tx, item, ask.caller, command, ask.metadata(), expected_version=ask.expected_version)
    return Answer(shown(row), version=row.version)


def _changed(row: ItemRow, carried: Carried, ask: Ask) -> dict[str, Any]:
    left = [
        LeftOut(**edge._asdict(), code=refusal.code, reason=worded(refusal, ask.exchange.language))
        for edge, refusal in carried.left
    ]
    return {**shown(row), "relations_carried": carried.done, "relations_left": left}


def _add_queries(router: APIRouter, doors: Doors) -> None:
    @router.get("/items")
    async def items(
        look: Annotated[Look, doors.query("item.read")],
        item_class: Annotated[ClassKey | None, Query(alias="class")] = None,
        owner_team: Filter = None,
        environment: Environment | None = None,
        criticality: Criticality | None = None,
        lifecycle: Lifecycle | None = None,
        organisation: Filter = None,
        prefix: Annotated[str | None, Query(max_length=200, description="How the key begins.")] = None,
        q: Annotated[str | None, Query(max_length=200, description="Part of the key or the name.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[ItemView]:
        """Items by key; merged ones are left out, retired ones are there."""
        filters = finding.Filters(
            look.organisations(),
            item_class,
            owner_team,
            environment,
            criticality,
            lifecycle,
            organisation,
            prefix,
            q,
        )
        after = None if cursor is None else decode_cursor(cursor, str, str)
        records = await finding.page(look.pool, filters, limit + 1, after)
        return look.page(records, limit, lambda record: (record["place"], record["id"]), _view)

    @router.get("/items/{item}", responses=_DETAIL)
    async def item(
        item: ItemPath,
        look: Annotated[Look, doors.query("item.read")],
        as_of: Annotated[QueryInstant | None, Query(description="What was true then.")] = None,
        known_at: Annotated[QueryInstant | None, Query(description="By what was recorded then.")] = None,
    ) -> Response:
        """One item with its relations, now or as it was."""
        row = await finding.locate(look.pool, item, look.organisations())
        past = [instant for instant in (as_of, known_at) if instant is not None]
        if past:
            history = [
                envelope
                for envelope in await look.running.store.history(row.id)
                if (as_of is None or envelope.time <= as_of) and (known_at is None or envelope.recordedtime <= known_at)
            ]
            row = handlers.as_known(row.id, history)
        # Relations are recorded when they happen, so the earlier of the two instants is the one that counts.
        found = await relations_of(
            look.pool, row.id, look.organisations(), min(past, default=None), _SHOWN_RELATIONS + 1
        )
        detail = {
            **shown(row),
            "relations": [relation_view(record) for record in found[:_SHOWN_RELATIONS]],
            "more_relations": len(found) > _SHOWN_RELATIONS,
        }
        return look.answer(detail, version=None if past else row.version)

    @router.get("/items/{item}/relations")
    async def relations(
        item: ItemPath,
        look: Annotated[Look, doors.query("item.read")],
        as_of: Annotated[QueryInstant | None, Query(description="Those that stood then.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[RelationView]:
        """Its relations, in and out."""
        row = await finding.locate(look.pool, item, look.organisations())
        after = None if cursor is None else decode_cursor(cursor, str, str)
        found = await relations_of(look.pool, row.id, look.organisations(), as_of, limit + 1, after)
        return look.page(found, limit, lambda record: (record["relation"], record["id"]), relation_view)

    @router.get("/items/{item}/events")
    async def events(
        item: ItemPath, look: Annotated[Look, doors.query("item.read")], limit: Limit = 50, cursor: Cursor = None
    ) -> Page[dict[str, Any]]:
        """Its events in order, as the CloudEvents that are on the bus."""
        row = await finding.locate(look.pool, item, look.organisations())
        found = await look.running.store.page(row.id, version_after(cursor), limit + 1)
        return look.page(found, limit, lambda envelope: [envelope.aggregateversion], Envelope.attributes)


def _view(record: Any) -> ItemView:
    return ItemView.model_validate(shown(from_record(record)))
