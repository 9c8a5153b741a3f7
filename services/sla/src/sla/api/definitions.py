"""What the doors of calendars and agreements share: a definition is read, listed, and replaced whole with If-Match."""

import json
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from opsledger_runtime.errors import NotFound
from opsledger_runtime.http import Answer, Ask, Look, Page, Problem, decode_cursor
from opsledger_runtime.store import Loaded, Transaction
from sla.domain.commands import DefineAgreement, DefineCalendar
from sla.domain.definitions import DEFINITION, DefinitionState

Name = Annotated[str, Field(min_length=1, max_length=200)]
Whole = Annotated[int, Field(strict=True, ge=-1000, le=1000)]


class Body(BaseModel):
    """A request's body: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid")


def as_it_is(shown: dict[str, Any]) -> dict[str, Any]:
    """Nothing is added to a definition that is shown."""
    return shown


async def loaded_for_change(tx: Transaction, ask: Ask, aggregate: UUID) -> Loaded[DefinitionState]:
    """The definition as it stands.

    Raises:
        Problem: there is one, and the caller did not say which version it saw.
    """
    loaded = await tx.load(DEFINITION, str(aggregate))
    if loaded.version and ask.expected_version is None:
        raise Problem("if_match_required")
    return loaded


async def defined(
    tx: Transaction,
    ask: Ask,
    kind: str,
    aggregate: UUID,
    command: DefineCalendar | DefineAgreement,
    loaded: Loaded[DefinitionState],
    organisation: str | None,
    show: Callable[[dict[str, Any]], dict[str, Any]] = as_it_is,
) -> Answer:
    """Define it, and answer with what is defined now."""
    await tx.execute(
        DEFINITION, str(aggregate), command, ask.metadata(organisation), expected_version=ask.expected_version
    )
    after = await tx.load(DEFINITION, str(aggregate))
    definition = after.state.definition
    body = {} if definition is None else definition.model_dump(mode="json")
    return Answer(
        show({"id": str(aggregate), **body}),
        status=200 if loaded.version else 201,
        version=after.version,
        location=None if loaded.version else f"/api/sla/v1/{kind}s/{aggregate}",
    )


async def definitions(
    look: Look,
    kind: str,
    limit: int,
    cursor: str | None,
    show: Callable[[dict[str, Any]], dict[str, Any]] = as_it_is,
    *,
    of_kind: str | None = None,
) -> Page[dict[str, Any]]:
    """A page of them, by id; `of_kind`: agreements of this kind alone."""
    after = None if cursor is None else decode_cursor(cursor, str)[0]
    rows = await look.pool.fetch(
        f"{_select(kind)} and ($2::text is null or {kind}.id > $2)"
        f" and ($4::text is null or coalesce(definition->>'kind', 'sla') = $4) order by {kind}.id limit $3",
        look.organisations(),
        after,
        limit + 1,
        of_kind,
    )
    return look.page(rows, limit, lambda row: (row["id"],), lambda row: show(_shown(row)))


async def definition(look: Look, kind: str, aggregate: UUID) -> tuple[dict[str, Any], int]:
    """One of them, and its version.

    Raises:
        NotFound: there is none, or not for this caller.
    """
    row = await look.pool.fetchrow(f"{_select(kind)} and {kind}.id = $2", look.organisations(), str(aggregate))
    if row is None:
        raise NotFound(f"There is no such {kind}.")
    return _shown(row), row["version"]


def _select(kind: str) -> str:
    scope = "organisation is null or organisation = any($1)" if kind == "agreement" else "true"
    return (
        f"select {kind}.id, {kind}.version, {kind}_revision.definition::text as definition from {kind}"
        f" join {kind}_revision on {kind}_revision.{kind} = {kind}.id"
        f" and {kind}_revision.revision = {kind}.revision where ($1::text[] is null or {scope})"
    )


def _shown(row: Any) -> dict[str, Any]:
    return {"id": row["id"], **json.loads(row["definition"])}
