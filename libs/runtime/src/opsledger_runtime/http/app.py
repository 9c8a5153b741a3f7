"""The HTTP application of one process: every service's routes, health, metrics, documentation."""

from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from opsledger_events import Envelope
from opsledger_runtime import metrics
from opsledger_runtime.http import docs, health, problems
from opsledger_runtime.http import exchange as exchanges
from opsledger_runtime.http.doors import EVENTS_ACTION, STATUS_ACTION, Look
from opsledger_runtime.http.gate import VERSION, Gate
from opsledger_runtime.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page, version_after
from opsledger_runtime.http.shortcuts import Directory

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


class ProblemField(BaseModel):
    """One wrong value: in the body by JSON pointer, elsewhere by the parameter's name."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str
    errors: list[ProblemField] = []


_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "Problem",
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    for status in ("4XX", "422", "5XX")
}


def build_app(runnings: "Sequence[Running]") -> FastAPI:
    """Mount each service's routes under `/api/<context>/v1`, with everything around them."""
    app = FastAPI(
        title="Opsledger",
        version=metadata.version("opsledger-runtime"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    directories: dict[str, Directory] = {}
    for running in runnings:
        router = APIRouter()
        own = running.service.routes(running)
        router.include_router(own)
        _add_insight(router, running)
        prefix = f"/api/{running.context}/{VERSION}"
        app.include_router(router, prefix=prefix, tags=[running.service.title], responses=_REFUSALS)
        directories[running.context] = Directory(prefix, own.routes)
    _add_platform(app, list(runnings))
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_middleware(Gate, runnings={running.context: running for running in runnings}, directories=directories)
    _describe(app)
    return app


def _add_insight(router: APIRouter, running: "Running") -> None:
    @router.get("/status", summary="How far everything is")
    async def status(look: Annotated[Look, running.doors.query(STATUS_ACTION)]) -> Response:
        return look.answer(await running.status())

    @router.get("/events", summary="The events of one aggregate, as the CloudEvents that are on the bus")
    async def events(
        look: Annotated[Look, running.doors.query(EVENTS_ACTION)],
        aggregate: Annotated[str, Query(min_length=1, max_length=200, description="The `subject` of its events.")],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[dict[str, Any]]:
        after = version_after(cursor)
        found = await running.store.page(aggregate, after, limit + 1)
        page = look.page(found, limit, lambda envelope: [envelope.aggregateversion], Envelope.attributes)
        page.items = [item for item in page.items if look.caller.sees(item.get("organisation"))]
        return page


def _add_platform(app: FastAPI, runnings: "list[Running]") -> None:
    @app.get("/livez", summary="The process lives")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="Every service of the process can work; otherwise what to do")
    async def readyz() -> JSONResponse:
        ready, report = await health.report(runnings)
        return JSONResponse(report, 200 if ready else 503, {"Cache-Control": "no-store"})

    exposition = metrics.Exposition(runnings)

    @app.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus() -> Response:
        return Response(await exposition.read(), media_type=metrics.CONTENT_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(docs.page(app.openapi()))


async def _refuse(request: Request, error: Exception) -> Response:
    return problems.response(error, exchanges.of(request.scope))


def _describe(app: FastAPI) -> None:
    """Add to the OpenAPI document what is true of every endpoint: problems and bearer tokens."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            components = document.setdefault("components", {})
            schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = components.setdefault("schemas", {})
            schemas.update(schema.pop("$defs"))
            schemas["ProblemDocument"] = schema
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            for path, operations in document["paths"].items():
                if path.startswith("/api/"):
                    for operation in operations.values():
                        operation["security"] = [{"bearer": []}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
