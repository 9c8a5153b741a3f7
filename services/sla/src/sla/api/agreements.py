"""HTTP to agreements, replaced whole with If-Match."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from opsledger_events.contexts.sla import AgreementDefined, AgreementKind
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.store import Transaction
from sla.api.definitions import defined, definition, definitions, loaded_for_change
from sla.api.drafts import AgreementBody, agreement_command, check_scope, named_calendar

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def add_agreement_routes(router: APIRouter, running: "Running") -> None:
    """The endpoints of agreements."""
    doors = running.doors

    @router.get("/agreements")
    async def list_agreements(
        look: Annotated[Look, doors.query("agreement.read")],
        kind: AgreementKind | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[dict[str, Any]]:
        """Agreements by id: those for everybody and those of the caller's organisations."""
        return await definitions(look, "agreement", limit, cursor, of_kind=kind)

    @router.get("/agreements/{agreement}")
    async def get_agreement(agreement: UUID, look: Annotated[Look, doors.query("agreement.read")]) -> Response:
        """An agreement and its version."""
        shown, version = await definition(look, "agreement", agreement)
        return look.answer(shown, version=version)

    @router.put("/agreements/{agreement}")
    async def put_agreement(
        agreement: UUID, body: AgreementBody, ask: Annotated[Ask, doors.command("agreement.define")]
    ) -> Response:
        """Define an agreement under an id you choose, or replace it (If-Match); running clocks keep their revision."""
        check_scope(ask.caller, body.organisation)

        async def work(tx: Transaction) -> Answer:
            # One writer at a time, so that two agreements cannot take one selector.
            await tx.connection.execute("lock table agreement in share row exclusive mode")
            loaded = await loaded_for_change(tx, ask, agreement)
            if loaded.version:
                held = loaded.state.definition
                check_scope(ask.caller, held.organisation if isinstance(held, AgreementDefined) else None, held=True)
            calendar = await named_calendar(tx.connection, body.calendar)
            command = await agreement_command(tx.connection, agreement, body, str(body.calendar), calendar, tx.now)
            return await defined(tx, ask, "agreement", agreement, command, loaded, body.organisation)

        return await ask.run(work)
