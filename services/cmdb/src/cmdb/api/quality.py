"""HTTP to what is wrong with the register: items that nobody answers for (R34), and items that may be the same."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from cmdb import duplicates, ownership
from cmdb.projections.item_row import from_record, shown
from cmdb.wire import ClassKey, ItemView
from opsledger_runtime.http import Cursor, Doors, Limit, Look, Page, decode_cursor

Missing = Literal["owner_team", "administrator", "database_administrator"]


class OwnershipGap(BaseModel):
    """An item in use and who does not answer for it."""

    item: ItemView
    missing: list[Missing]


class GapCount(BaseModel):
    """How many items of a class lack somebody."""

    item_class: str
    missing: Missing
    items: int


class GapCounts(BaseModel):
    """How many items lack somebody; one that lacks two is in two of the counts and once in `items`."""

    items: int
    counts: list[GapCount]


class SameItem(BaseModel):
    """One of the items that may be the same."""

    id: str
    key: str


class MergeOffer(BaseModel):
    """What to ask to make the oldest stand for another: POST `path` with `{"into": …}`."""

    path: str
    into: str


class Duplicates(BaseModel):
    """Items that share `what`, oldest first, and how each of the others is merged into the oldest."""

    reason: Literal["identifier", "name"]
    what: str
    items: list[SameItem]
    merges: list[MergeOffer]


def add_quality(router: APIRouter, doors: Doors) -> None:
    """The endpoints about what is wrong."""

    @router.get("/ownership-gaps")
    async def gaps(
        look: Annotated[Look, doors.query("item.read")],
        missing: Missing | None = None,
        item_class: Annotated[ClassKey | None, Query(alias="class")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[OwnershipGap]:
        """Items in use without an owner team, or without the people that their class needs by name (R34)."""
        after = None if cursor is None else decode_cursor(cursor, str, str)
        rows = await ownership.page(look.pool, look.organisations(), missing, item_class, limit + 1, after)
        return look.page(
            rows,
            limit,
            lambda row: (row["place"], row["id"]),
            lambda row: OwnershipGap(
                item=ItemView.model_validate(shown(from_record(row))), missing=list(row["missing"])
            ),
        )

    @router.get("/ownership-gaps/counts")
    async def gap_counts(look: Annotated[Look, doors.query("item.read")]) -> GapCounts:
        """How many items lack whom, by class (R34)."""
        total, rows = await ownership.counts(look.pool, look.organisations())
        return GapCounts(items=total, counts=[GapCount(**dict(row)) for row in rows])

    @router.get("/duplicates")
    async def duplicate_items(
        look: Annotated[Look, doors.query("item.read")], limit: Limit = 50, cursor: Cursor = None
    ) -> Page[Duplicates]:
        """Items that share an identifier, or name and class."""
        after = None if cursor is None else decode_cursor(cursor, str, str)
        rows = await duplicates.page(look.pool, look.organisations(), limit + 1, after)
        return look.page(
            rows,
            limit,
            lambda row: (row["reason"], row["what"]),
            lambda row: Duplicates(
                reason=row["reason"],
                what=row["what"],
                items=[SameItem(id=one, key=key) for one, key in zip(row["ids"], row["keys"], strict=True)],
                merges=[
                    MergeOffer(path=f"/api/cmdb/v1/items/{one}/merge", into=row["ids"][0]) for one in row["ids"][1:]
                ],
            ),
        )
