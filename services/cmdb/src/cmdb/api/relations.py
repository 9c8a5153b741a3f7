"""HTTP to relations between items."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from cmdb import handlers
from cmdb.domain.relations import KINDS
from cmdb.wire import Relate, Unrelate
from opsledger_runtime.http import Answer, Ask, Doors
from opsledger_runtime.store import Transaction

_OK: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "It stands already"}}


def add_relations(router: APIRouter, doors: Doors) -> None:
    """The endpoints of relations."""

    @router.post("/relations", status_code=201, responses=_OK)
    async def relate(body: Relate, ask: Annotated[Ask, doors.command("relation.write")]) -> Response:
        """Relate two items; 200 where they are related so already."""

        async def work(tx: Transaction) -> Answer:
            edge, source, target, events = await handlers.relate(
                tx, body.relation, body.source, body.target, ask.caller, ask.metadata()
            )
            told = {
                "id": edge.id,
                **edge._asdict(),
                "source_key": source.facts.key,
                "target_key": target.facts.key,
                "impact": KINDS[body.relation].impact,
            }
            return Answer(told, status=201 if events else 200)

        return await ask.run(work)

    @router.post("/relations/{relation}/end")
    async def unrelate(
        relation: UUID, ask: Annotated[Ask, doors.command("relation.write")], body: Unrelate | None = None
    ) -> Response:
        """End a relation; between the same two it may begin again."""

        async def work(tx: Transaction) -> Answer:
            reason = body.reason if body else None
            edge, _ = await handlers.unrelate(tx, str(relation), reason, ask.caller, ask.metadata())
            return Answer({"id": edge.id, **edge._asdict()})

        return await ask.run(work)
