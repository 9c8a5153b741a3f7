"""HTTP to questions about the network of items: what depends on what, what changed, and a picture of it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from cmdb.graph.difference import Difference, Neighbourhood, difference
from cmdb.graph.drawing import Picture, draw
from cmdb.graph.network import Direction, Item, Reached, Relation, Walk
from cmdb.graph.words import Language
from cmdb.projections import graph
from cmdb.wire import QueryInstant
from cmdb.wire_graph import (
    ChangedShown,
    DifferenceShown,
    FactShown,
    Group,
    ItemsDiffer,
    ItemShown,
    Reach,
    ReachedShown,
    RelationsDiffer,
    RelationShown,
    TurnedShown,
)
from opsledger_events.envelope import format_instant
from opsledger_events.names import Name
from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.http import Doors, Look

READ: Final = "item.read"
DRAWN: Final = 150
"""So many items are drawn at most."""

COMPARED: Final = 5000
_ALL: Final = (Direction.DEPENDENTS, Direction.DEPENDENCIES)
_SVG: Final = {"content": {"image/svg+xml": {"schema": {"type": "string"}}}, "description": "The picture."}
_GUARD: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}

ItemId = Annotated[str, Path(max_length=200, description="The item's id or key.")]
AsOf = Annotated[QueryInstant | None, Query(description="What was true then.")]
Depth = Annotated[int | None, Query(ge=1, le=100, description="How many steps away at most; without it, all.")]
Around = Annotated[int, Query(ge=1, le=6, description="How many steps away at most.")]
Classes = Annotated[list[Name], Query(alias="class", max_length=50, description="List items of these classes only.")]
Most = Annotated[int, Query(ge=1, le=5000, description="How many items to list at most.")]


def add_graph(router: APIRouter, doors: Doors) -> None:
    """The endpoints of the network."""
    _add_walks(router, doors)
    _add_difference(router, doors)
    _add_picture(router, doors)


def _add_walks(router: APIRouter, doors: Doors) -> None:
    @router.get("/items/{item}/dependencies")
    async def dependencies(
        item: ItemId,
        look: Annotated[Look, doors.query(READ)],
        depth: Depth = None,
        item_class: Classes = [],  # noqa: B006 - FastAPI copies it
        as_of: AsOf = None,
        limit: Most = 500,
    ) -> Reach:
        """What it depends on, directly or through others."""
        return await _reach(look, item, Direction.DEPENDENCIES, depth, item_class, as_of, limit)

    @router.get("/items/{item}/dependents")
    async def dependents(
        item: ItemId,
        look: Annotated[Look, doors.query(READ)],
        depth: Depth = None,
        item_class: Classes = [],  # noqa: B006 - FastAPI copies it
        as_of: AsOf = None,
        limit: Most = 500,
    ) -> Reach:
        """What depends on it, directly or through others: what suffers when it fails."""
        return await _reach(look, item, Direction.DEPENDENTS, depth, item_class, as_of, limit)


async def _reach(
    look: Look,
    item: str,
    direction: Direction,
    depth: int | None,
    wanted: Sequence[str],
    as_of: datetime | None,
    limit: int,
) -> Reach:
    async with graph.view(look.pool, look.organisations(), as_of) as view:
        walk = await view.walk(await view.start(item), direction, depth)
        items = await view.items(one.id for one in walk.others())
        known = await graph.classes(view.connection)
    return reach_shown(walk, items, direction, known, wanted, as_of, limit)


def reach_shown(
    walk: Walk,
    items: Mapping[str, Item],
    direction: Direction,
    classes: Mapping[str, Any],
    wanted: Sequence[str],
    as_of: datetime | None,
    limit: int,
) -> Reach:
    """What a walk reached, in groups; of the classes `wanted`, or of all where that is empty."""
    by_class: dict[str, list[Reached]] = {}
    for one in walk.others():
        item_class = items[one.id].item_class
        if not wanted or item_class in wanted:
            by_class.setdefault(item_class, []).append(one)
    reached = sum(len(found) for found in by_class.values())

    def is_service(key: str) -> bool:
        return key in classes and bool(classes[key]["is_service"])

    ordered = sorted(by_class, key=lambda key: (not is_service(key), by_class[key][0].distance, key))
    groups, room = [], limit
    for key in ordered:
        names = (classes[key]["name_zh"], classes[key]["name_en"]) if key in classes else (key, key)
        groups.append(
            Group(
                item_class=key,
                name_zh=names[0],
                name_en=names[1],
                is_service=is_service(key),
                count=len(by_class[key]),
                items=[_reached(items[one.id], one) for one in by_class[key][:room]],
            )
        )
        room -= len(groups[-1].items)
    return Reach(
        item=_item(walk.start),
        direction="dependents" if direction is Direction.DEPENDENTS else "dependencies",
        as_of=None if as_of is None else format_instant(as_of),
        reached=reached,
        truncated=walk.truncated or reached > limit,
        groups=groups,
    )


def _add_difference(router: APIRouter, doors: Doors) -> None:
    @router.get("/items/{item}/graph/difference")
    async def graph_difference(
        item: ItemId,
        look: Annotated[Look, doors.query(READ)],
        since: Annotated[QueryInstant, Query(alias="from", description="The earlier instant.")],
        until: Annotated[
            QueryInstant | None, Query(alias="to", description="The later instant; without it, now.")
        ] = None,
        depth: Around = 2,
    ) -> DifferenceShown:
        """What came, went and changed around it between two instants."""
        end = until or look.now
        if end < since:
            raise Invalid("The interval ends before it begins.", [FieldError("/to", "Give an instant after `from`.")])
        async with graph.view(look.pool, look.organisations()) as now:
            around: list[Neighbourhood] = []
            items: dict[str, Item] = {}
            for instant in (since, end):
                view = graph.View(now.connection, now.organisations, instant)
                found = Neighbourhood()
                with suppress(NotFound):  # at one of them it may not have been there yet
                    found, _ = await view.neighbourhood(await view.start(item), _ALL, depth, COMPARED)
                around.append(found)
                items.update(found.items)
        if not items:
            raise NotFound("There is no such item, or it was not known then.", code="no_such_item")
        before, after = around
        return _difference_shown(
            difference(before, after), items, item, (since, end), depth, before.truncated or after.truncated
        )


def _difference_shown(
    found: Difference,
    items: Mapping[str, Item],
    item: str,
    between: tuple[datetime, datetime],
    depth: int,
    truncated: bool,
) -> DifferenceShown:
    def relation(one: Relation) -> dict[str, str]:
        ends = {"source": items[one.source].key, "target": items[one.target].key}
        return {**ends, "relation": one.relation, "impact": one.impact}

    changed = [
        ChangedShown(
            item=_item(one.item),
            facts={name: FactShown(before=old, after=new) for name, (old, new) in one.facts.items()},
        )
        for one in found.changed
    ]
    return DifferenceShown(
        item=item,
        since=format_instant(between[0]),
        until=format_instant(between[1]),
        depth=depth,
        truncated=truncated,
        items=ItemsDiffer(
            appeared=[_item(one) for one in found.appeared],
            gone=[_item(one) for one in found.gone],
            changed=changed,
        ),
        relations=RelationsDiffer(
            appeared=[RelationShown(**relation(one)) for one in found.related],
            gone=[RelationShown(**relation(one)) for one in found.unrelated],
            changed=[TurnedShown(**relation(new), impact_before=old.impact) for old, new in found.turned],
        ),
    )


def _add_picture(router: APIRouter, doors: Doors) -> None:
    @router.get("/items/{item}/graph.svg", responses={200: _SVG}, response_class=Response)
    async def picture(
        item: ItemId,
        look: Annotated[Look, doors.query(READ)],
        depth: Around = 2,
        direction: Literal["both", "dependents", "dependencies"] = "both",
        as_of: AsOf = None,
        lang: Annotated[Language, Query(description="The language of the words around.")] = "zh",
    ) -> Response:
        """Its neighbourhood as a picture: what depends on it to the left, what it depends on to the right."""
        directions = _ALL if direction == "both" else (Direction(direction),)
        async with graph.view(look.pool, look.organisations(), as_of) as view:
            start = await view.start(item)
            found, layers = await view.neighbourhood(start, directions, depth, DRAWN // len(directions))
            classes = await graph.classes(view.connection)
        drawn = draw(
            Picture(
                centre=start.id,
                items=found.items,
                layers=layers,
                relations=found.relations,
                direction=direction,
                depth=depth,
                as_of=None if as_of is None else format_instant(as_of),
                truncated=found.truncated,
                language=lang,
                classes={key: (row[f"name_{lang}"], row["is_service"]) for key, row in classes.items()},
            )
        )
        return Response(drawn.encode(), media_type="image/svg+xml", headers=_GUARD)


def _item(item: Item) -> ItemShown:
    return ItemShown.model_validate(item, from_attributes=True)


def _reached(item: Item, one: Reached) -> ReachedShown:
    return ReachedShown(
        **_item(item).model_dump(), distance=one.distance, path=list(one.path), relations=list(one.relations)
    )
