"""Rules over HTTP. A rule is accepted only if its wording can be filled in from its event."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from notify.api.shapes import BASE, KEY_LENGTH, Body, Key, Language, guard_replacement
from notify.domain import rendering, rule
from notify.domain.rule import MOST_RECIPIENTS, RULE, DefineRule
from notify.permissions import may_change_everything, may_see_everything
from notify.projections import directory, rulebook
from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.running import Running
from opsledger_runtime.store import Transaction

_SELECT = "select key, event_type, recipients, otherwise, template, language, active, revision from rule"
Token = Annotated[str, Field(max_length=KEY_LENGTH + len("contact:"))]


class RuleBody(Body):
    """A rule as its keeper writes it. Recipients: team, assignee, requester, contact:<id>, team:<key>.

    `team` is the incident's; of a team's clock (OLA, UC) the one that it measures, and no requester is told of that.
    `otherwise` are told where the recipients lead to nobody, and of a vendor's clock (UC) as well. `language` null:
    each reader's own.
    """

    event_type: str = Field(max_length=100)
    recipients: list[Token] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    otherwise: list[Token] = Field(default=[], max_length=MOST_RECIPIENTS)
    template: str = Field(max_length=KEY_LENGTH)
    language: Language | None = None
    active: bool = True


class RuleView(BaseModel):
    """A rule."""

    key: str
    event_type: str
    recipients: list[str]
    otherwise: list[str]
    template: str
    language: Language | None
    active: bool
    revision: int


def routes(running: Running) -> APIRouter:
    """PUT, GET and list."""
    router = APIRouter(tags=["rules"])

    @router.put("/rules/{key}", summary="Define or replace a rule")
    async def define(
        key: Key, body: RuleBody, ask: Annotated[Ask, running.doors.command("notify.rule.define")]
    ) -> Response:
        may_change_everything(ask.caller)

        async def work(transaction: Transaction) -> Answer:
            loaded = await transaction.load(RULE, rule.aggregate(key))
            guard_replacement(ask, loaded)
            events = await transaction.execute(
                RULE,
                rule.aggregate(key),
                DefineRule(
                    body.event_type,
                    tuple(body.recipients),
                    body.template,
                    body.active,
                    tuple(body.otherwise),
                    body.language,
                ),
                ask.metadata(),
                expected_version=ask.expected_version,
            )
            await _check_recipients(transaction, body)
            await _check_wording(transaction, body)
            await transaction.flush()
            version = loaded.version + len(events)
            row = await transaction.connection.fetchrow(f"{_SELECT} where key = $1", key)
            view = RuleView(**dict(row)) if row is not None else None
            if loaded.version:
                return Answer(view, version=version)
            return Answer(view, status=201, version=version, location=f"{BASE}/rules/{key}")

        return await ask.run(work)

    @router.get("/rules/{key}", summary="One rule", response_model=RuleView)
    async def one(key: Key, look: Annotated[Look, running.doors.query("notify.rule.read")]) -> Response:
        may_see_everything(look.caller)
        row = await look.pool.fetchrow(f"{_SELECT} where key = $1", key)
        if row is None:
            raise NotFound(f"There is no rule {key}.")
        return look.answer(RuleView(**dict(row)), version=row["revision"])

    @router.get("/rules", summary="Rules in order of key")
    async def many(
        look: Annotated[Look, running.doors.query("notify.rule.read")],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[RuleView]:
        may_see_everything(look.caller)
        after = decode_cursor(cursor, str)[0] if cursor else ""
        rows = await look.pool.fetch(f"{_SELECT} where key > $1 order by key limit $2", after, limit + 1)
        return look.page(rows, limit, lambda row: [row["key"]], lambda row: RuleView(**dict(row)))

    return router


async def _check_recipients(transaction: Transaction, body: RuleBody) -> None:
    connection = transaction.connection
    strangers = {
        f"{kind}:{name}"
        for kind, column in (("contact", "id"), ("team", "key"))
        for name in await directory.unknown(
            connection, kind, column, rule.named([*body.recipients, *body.otherwise], kind)
        )
    }
    wrong = [
        FieldError(f"/{field}/{index}", "register it first")
        for field, tokens in (("recipients", body.recipients), ("otherwise", body.otherwise))
        for index, token in enumerate(tokens)
        if token in strangers
    ]
    if wrong:
        raise Invalid("A recipient is not registered.", wrong)


async def _check_wording(transaction: Transaction, body: RuleBody) -> None:
    texts = await rulebook.latest(transaction.connection, body.template)
    if not texts or (body.language is not None and body.language not in texts):
        raise Invalid(
            "The template has no such wording yet.",
            [
                FieldError(
                    "/language" if texts else "/template",
                    f"publish it first: POST {BASE}/wordings/{body.template}/{body.language or 'zh-CN'}",
                )
            ],
        )
    for words in texts.values():
        try:
            rendering.check(words.subject, words.body, [body.event_type])
        except Invalid as error:
            details = "; ".join(problem.detail for problem in error.errors)
            raise Invalid(
                "The template's wording does not fit this event.", [FieldError("/template", details)]
            ) from error
