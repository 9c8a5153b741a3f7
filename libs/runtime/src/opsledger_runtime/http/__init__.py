"""The doors of a service: HTTP to commands and queries, with problems, idempotency, versions and positions (D6).

Owns what every endpoint has in common. Refuses whatever the services' domains should not have to see: wrong tokens,
hostile bodies, repeated commands, overload. It knows no business word.

    def routes(running: Running) -> APIRouter:
        router = APIRouter()

        @router.post("/things", status_code=201)
        async def make(body: NewThing, ask: Annotated[Ask, running.doors.command("thing.make")]) -> Response:
            async def work(tx: Transaction) -> Answer:
                thing = str(ids.derived_id("thing", str(ask.command_id)))
                await tx.execute(THING, thing, MakeThing(body.name, tx.now), ask.metadata(body.organisation))
                return Answer({"id": thing}, status=201, version=1, location=f"/api/things/v1/things/{thing}")

            return await ask.run(work)

        @router.get("/things")
        async def things(
            look: Annotated[Look, running.doors.query("thing.read")], limit: Limit = 50, cursor: Cursor = None
        ) -> Page[Thing]: ...
"""

from opsledger_runtime.auth import Caller
from opsledger_runtime.http.answers import Answer
from opsledger_runtime.http.app import build_app
from opsledger_runtime.http.doors import Ask, Doors, Look
from opsledger_runtime.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor, version_after
from opsledger_runtime.http.problems import Problem

__all__ = [
    "Answer",
    "Ask",
    "Caller",
    "Cursor",
    "Doors",
    "Limit",
    "Look",
    "Page",
    "Problem",
    "build_app",
    "decode_cursor",
    "encode_cursor",
    "version_after",
]
