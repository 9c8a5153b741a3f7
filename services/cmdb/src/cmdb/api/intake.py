"""HTTP to imports: files of items, and what discovery sources find."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from cmdb.intake import csv_file, discovered
from cmdb.intake.importing import take_in
from cmdb.intake.line import Line, Trouble
from cmdb.intake.planning import CSV
from cmdb.messages import worded
from cmdb.settings import CmdbSettings
from opsledger_runtime.errors import Invalid
from opsledger_runtime.http import Answer, Ask, Doors, Look
from opsledger_runtime.store import Transaction

_MOST_BYTES: Final = 32 * 1024 * 1024
DryRun = Annotated[bool, Query(description="Say what would become of each line, and change nothing.")]
Source = Annotated[str, Path(max_length=40, description="The source's name, for example `nmap`.")]


class ProblemLine(BaseModel):
    """A line, or a relation of a line, that did not go in. `outcome`: `rejected`, `ambiguous`, `relation_refused`.

    `about`: that relation, or the items that the line may speak of.
    """

    line: int
    key: str | None
    outcome: str
    about: str | None
    code: str
    reason: str
    errors: list[dict[str, str]]


class Imported(BaseModel):
    """What became of the lines; the five counts add up to `received`, and every line that did not go in is listed."""

    id: str
    source: str
    dry_run: bool
    received: int
    registered: int
    changed: int
    unchanged: int
    ambiguous: int
    rejected: int
    related: int
    problems: list[ProblemLine]


_DONE: Final[dict[int | str, dict[str, Any]]] = {200: {"model": Imported}}
_FILE: Final = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


def add_intake(router: APIRouter, doors: Doors, settings: CmdbSettings) -> None:
    """The endpoints of imports."""

    @router.get("/imports/csv/template", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
    async def template(look: Annotated[Look, doors.query("item.read")]) -> Response:
        """A file to begin with: every column, and four items that are related."""
        headers = {"Content-Disposition": 'attachment; filename="items.csv"'}
        return Response(csv_file.TEMPLATE, media_type="text/csv; charset=utf-8", headers=headers)

    @router.post("/imports/csv", responses=_DONE, openapi_extra=_FILE)
    async def import_csv(
        ask: Annotated[Ask, doors.file("item.import", "text/csv", max_body=_MOST_BYTES)],
        encoding: csv_file.Encoding = "utf-8",
        dry_run: DryRun = False,
    ) -> Response:
        """Take in a CSV file; good lines go in, every other is reported. The same file again changes nothing.

        A new item of which the line says no more is in operation, in production, and of medium criticality.
        """
        lines = await asyncio.to_thread(csv_file.read, ask.body, encoding)
        return await _take(ask, settings, CSV, lines, dry_run)

    @router.post("/discovery/{source}", responses=_DONE)
    async def discover(
        source: Annotated[Source, Path(pattern=r"^[a-z][a-z0-9_-]{0,39}$")],
        things: Annotated[list[Any], Body(max_length=discovered.MOST_THINGS)],
        ask: Annotated[Ask, doors.command("item.import", max_body=_MOST_BYTES)],
        dry_run: DryRun = False,
    ) -> Response:
        """Take in what a source found: known items get attributes and identifiers, unknown ones are registered."""
        if source in (CSV, "api"):
            raise Invalid(f"A source cannot be called {source}. Choose another name.", code="source_name")
        lines = await asyncio.to_thread(discovered.read, things, f"source:{source}")
        return await _take(ask, settings, source, lines, dry_run)


async def _take(ask: Ask, settings: CmdbSettings, source: str, lines: Sequence[Line], dry_run: bool) -> Response:
    async with ask.running.doors.admission, ask.running.doors.slots:
        finished = await take_in(
            ask.running.store,
            source,
            lines,
            rules=settings.matching,
            caller=ask.caller,
            metadata=ask.metadata(),
            dry_run=dry_run,
        )

    async def work(tx: Transaction) -> Answer:
        if not dry_run:
            await finished.complete(tx)
        report, told = finished.report, finished.told.model_dump()
        problems = [_problem(one, ask.exchange.language) for one in report.troubles]
        return Answer(Imported(id=finished.id, dry_run=dry_run, related=report.related, problems=problems, **told))

    return await ask.run(work)


def _problem(trouble: Trouble, language: str) -> ProblemLine:
    refusal = trouble.refusal
    errors = refusal.errors if isinstance(refusal, Invalid) else ()
    return ProblemLine(
        line=trouble.line,
        key=trouble.key,
        outcome=trouble.outcome,
        about=trouble.about,
        code=refusal.code,
        reason=worded(refusal, language),
        errors=[{"pointer": one.pointer, "detail": one.detail} for one in errors],
    )
