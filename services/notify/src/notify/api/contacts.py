"""Contacts over HTTP. Answers to writes leave out name and address, because answers are kept for repeats."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from notify import addresses
from notify.addresses import Address
from notify.api.shapes import BASE, Body, Key, Language, guard_replacement
from notify.domain import contact
from notify.domain.checks import NAME_LENGTH, check_email, check_name
from notify.domain.contact import CONTACT, RegisterContact
from notify.permissions import may_change_everything, may_see_everything
from opsledger_runtime.errors import NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Limit, Look, Page, decode_cursor
from opsledger_runtime.http.pages import DEFAULT_LIMIT
from opsledger_runtime.running import Running
from opsledger_runtime.store import Transaction

_SELECT = """
select contact.id, contact.language, contact.active, contact.revision, contact_address.name, contact_address.email
from contact left join contact_address on contact_address.contact = contact.id
"""


class ContactBody(Body):
    """A contact as its keeper writes it."""

    name: str = Field(max_length=NAME_LENGTH)
    email: str = Field(max_length=254)
    language: Language = "zh-CN"
    active: bool = True


class ContactView(BaseModel):
    """A contact; name and address are null where they were erased."""

    id: str
    name: str | None
    email: str | None
    language: Language
    active: bool
    revision: int


def routes(running: Running) -> APIRouter:
    """PUT, GET and list."""
    router = APIRouter(tags=["contacts"])

    @router.put("/contacts/{id}", summary="Register or replace a contact")
    async def register(
        id: Key,  # noqa: A002 - the name in the path
        body: ContactBody,
        ask: Annotated[Ask, running.doors.command("notify.contact.register")],
    ) -> Response:
        may_change_everything(ask.caller)
        address = Address(check_name(body.name, "/name"), check_email(body.email, "/email"))

        async def work(transaction: Transaction) -> Answer:
            loaded = await transaction.load(CONTACT, contact.aggregate(id))
            guard_replacement(ask, loaded)
            changed = await addresses.find(transaction.connection, id) != address
            events = await transaction.execute(
                CONTACT,
                contact.aggregate(id),
                RegisterContact(body.language, body.active, changed),
                ask.metadata(),
                expected_version=ask.expected_version,
            )
            await addresses.put(transaction.connection, id, address)
            version = loaded.version + len(events)
            told = {"id": id, "language": body.language, "active": body.active, "revision": version}
            if loaded.version:
                return Answer(told, version=version)
            return Answer(told, status=201, version=version, location=f"{BASE}/contacts/{id}")

        return await ask.run(work)

    @router.get("/contacts/{id}", summary="One contact", response_model=ContactView)
    async def one(
        id: Key,  # noqa: A002 - the name in the path
        look: Annotated[Look, running.doors.query("notify.contact.read")],
    ) -> Response:
        may_see_everything(look.caller)
        row = await look.pool.fetchrow(f"{_SELECT} where contact.id = $1", id)
        if row is None:
            raise NotFound(f"There is no contact {id}.")
        return look.answer(ContactView(**dict(row)), version=row["revision"])

    @router.get("/contacts", summary="Contacts in order of id")
    async def many(
        look: Annotated[Look, running.doors.query("notify.contact.read")],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[ContactView]:
        may_see_everything(look.caller)
        after = decode_cursor(cursor, str)[0] if cursor else ""
        rows = await look.pool.fetch(f"{_SELECT} where contact.id > $1 order by contact.id limit $2", after, limit + 1)
        return look.page(rows, limit, lambda row: [row["id"]], lambda row: ContactView(**dict(row)))

    return router
