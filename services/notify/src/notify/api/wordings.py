"""Wordings over HTTP: a new version is tried with sample values before it is accepted; earlier ones stay readable."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from notify.api.shapes import BASE, KEY_LENGTH, Body, Key, Language
from notify.domain import wording
from notify.domain.facts import NOTIFIABLE
from notify.domain.rendering import BODY_SOURCE, SUBJECT_SOURCE
from notify.domain.wording import WORDING, PublishWording
from notify.permissions import may_change_everything, may_see_everything
from notify.projections import rulebook
from opsledger_runtime.errors import FieldError, Invalid
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.running import Running
from opsledger_runtime.store import Transaction

_SELECT = """
select template, language, version, subject, body from wording w
where ($1::text is null or template = $1) and ($2::text is null or language = $2)
  and ($3 or version = (select max(version) from wording v where v.template = w.template and v.language = w.language))
  and ($4::text is null or (template, language, version) > ($4, $5, $6))
order by template, language, version limit $7
"""


class WordingBody(Body):
    """Subject and body as templates. `event_type` where no rule uses the template yet: what to try it with."""

    subject: str = Field(max_length=SUBJECT_SOURCE)
    body: str = Field(max_length=BODY_SOURCE)
    event_type: str | None = Field(default=None, max_length=100)


class WordingView(BaseModel):
    """One version of a template's words in one language."""

    template: str
    language: Language
    version: int
    subject: str
    body: str


def routes(running: Running) -> APIRouter:
    """POST and list."""
    router = APIRouter(tags=["wordings"])

    @router.post("/wordings/{template}/{language}", status_code=201, summary="Publish a new version of a wording")
    async def publish(
        template: Key,
        language: Language,
        body: WordingBody,
        ask: Annotated[Ask, running.doors.command("notify.wording.publish")],
    ) -> Response:
        may_change_everything(ask.caller)

        async def work(transaction: Transaction) -> Answer:
            event_types = await rulebook.event_types(transaction.connection, template)
            if body.event_type is not None:
                event_types |= {_notifiable(body.event_type)}
            if not event_types:
                raise Invalid(
                    "No rule uses this template yet.",
                    [FieldError("/event_type", "say which event it is for, so that it can be tried")],
                )
            aggregate = wording.aggregate(template, language)
            loaded = await transaction.load(WORDING, aggregate)
            events = await transaction.execute(
                WORDING,
                aggregate,
                PublishWording(template, language, body.subject, body.body, event_types),
                ask.metadata(),
                expected_version=ask.expected_version,
            )
            version = loaded.version + len(events)
            view = WordingView(
                template=template, language=language, version=version, subject=body.subject, body=body.body
            )
            where = f"{BASE}/wordings?template={template}&language={language}"
            return Answer(view, status=201 if events else 200, version=version, location=where if events else None)

        return await ask.run(work)

    @router.get("/wordings", summary="Wordings in order of template, language and version")
    async def many(
        look: Annotated[Look, running.doors.query("notify.wording.read")],
        template: Annotated[str | None, Query(max_length=KEY_LENGTH)] = None,
        language: Annotated[Language | None, Query()] = None,
        versions: Annotated[Literal["latest", "all"], Query()] = "latest",
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[WordingView]:
        may_see_everything(look.caller)
        after = decode_cursor(cursor, str, str, int) if cursor else [None, None, None]
        rows = await look.pool.fetch(_SELECT, template, language, versions == "all", *after, limit + 1)
        return look.page(
            rows,
            limit,
            lambda row: [row["template"], row["language"], row["version"]],
            lambda row: WordingView(**dict(row)),
        )

    return router


def _notifiable(event_type: str) -> str:
    if event_type not in NOTIFIABLE:
        raise Invalid(
            "No notice can be sent about this event.",
            [FieldError("/event_type", "one of " + ", ".join(sorted(NOTIFIABLE)))],
        )
    return event_type
