"""Teams over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from notify.api.shapes import BASE, KEY_LENGTH, Body, Key, guard_replacement
from notify.domain import team
from notify.domain.checks import NAME_LENGTH
from notify.domain.team import MOST_MEMBERS, TEAM, FormTeam
from notify.permissions import may_change_everything, may_see_everything
from notify.projections import directory
from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.running import Running
from opsledger_runtime.store import Transaction

_SELECT = "select key, name, members, revision from team"


class TeamBody(Body):
    """A team as its keeper writes it; members are ids of registered contacts."""

    name: str = Field(max_length=NAME_LENGTH)
    members: list[Annotated[str, Field(max_length=KEY_LENGTH)]] = Field(default=[], max_length=MOST_MEMBERS)


class TeamView(BaseModel):
    """A team."""

    key: str
    name: str
    members: list[str]
    revision: int


def routes(running: Running) -> APIRouter:
    """PUT, GET and list."""
    router = APIRouter(tags=["teams"])

    @router.put("/teams/{key}", summary="Form or replace a team")
    async def form(
        key: Key, body: TeamBody, ask: Annotated[Ask, running.doors.command("notify.team.form")]
    ) -> Response:
        may_change_everything(ask.caller)

        async def work(transaction: Transaction) -> Answer:
            loaded = await transaction.load(TEAM, team.aggregate(key))
            guard_replacement(ask, loaded)
            events = await transaction.execute(
                TEAM,
                team.aggregate(key),
                FormTeam(key, body.name, tuple(body.members)),
                ask.metadata(),
                expected_version=ask.expected_version,
            )
            await transaction.flush()
            strangers = await directory.unknown(transaction.connection, "contact", "id", body.members)
            if strangers:
                raise Invalid(
                    "A member is no registered contact.",
                    [
                        FieldError(f"/members/{body.members.index(who)}", "register the contact first")
                        for who in strangers
                    ],
                )
            version = loaded.version + len(events)
            row = await transaction.connection.fetchrow(f"{_SELECT} where key = $1", key)
            view = TeamView(**dict(row)) if row is not None else None
            if loaded.version:
                return Answer(view, version=version)
            return Answer(view, status=201, version=version, location=f"{BASE}/teams/{key}")

        return await ask.run(work)

    @router.get("/teams/{key}", summary="One team", response_model=TeamView)
    async def one(key: Key, look: Annotated[Look, running.doors.query("notify.team.read")]) -> Response:
        may_see_everything(look.caller)
        row = await look.pool.fetchrow(f"{_SELECT} where key = $1", key)
        if row is None:
            raise NotFound(f"There is no team {key}.")
        return look.answer(TeamView(**dict(row)), version=row["revision"])

    @router.get("/teams", summary="Teams in order of key")
    async def many(
        look: Annotated[Look, running.doors.query("notify.team.read")],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[TeamView]:
        may_see_everything(look.caller)
        after = decode_cursor(cursor, str)[0] if cursor else ""
        rows = await look.pool.fetch(f"{_SELECT} where key > $1 order by key limit $2", after, limit + 1)
        return look.page(rows, limit, lambda row: [row["key"]], lambda row: TeamView(**dict(row)))

    return router
