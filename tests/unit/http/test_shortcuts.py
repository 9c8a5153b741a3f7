"""Which endpoints have a shortcut, and which address leads to which."""

from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from opsledger_runtime.http.doors import Ask, Doors
from opsledger_runtime.http.head import Head
from opsledger_runtime.http.shortcuts import Directory

PREFIX = "/api/things/v1"


class Thing(BaseModel):
    """A body."""

    name: str


class _Service:
    permissions: dict[str, frozenset[str]] = {"do": frozenset({"agent"})}  # noqa: RUF012


class _Running:
    context = "things"
    service = _Service()
    store = None
    pool = SimpleNamespace(get_max_size=lambda: 10)


DOORS = Doors(_Running())  # type: ignore[arg-type]
Door = Annotated[Ask, DOORS.command("do")]


def router() -> APIRouter:
    found = APIRouter()

    @found.post("/things/{thing}/close")
    async def close(thing: Annotated[str, Path(max_length=5)], ask: Door, body: Thing | None = None) -> Response: ...

    @found.post("/things/{thing}/{verb}")
    async def any_verb(thing: str, verb: str, ask: Door) -> Response: ...

    @found.post("/things/{thing}/open")
    async def unreachable(thing: str, ask: Door) -> Response: ...

    @found.post("/things")
    async def make(body: Thing, ask: Door) -> Response: ...

    @found.post("/raw/{number}")
    async def raw(number: UUID, payload: Annotated[Any, Body()], ask: Door) -> Response: ...

    @found.post("/queried")
    async def queried(ask: Door, q: Annotated[str, Query()] = "") -> Response: ...

    @found.post("/doorless")
    async def doorless(body: Thing) -> Response: ...

    @found.post("/embedded")
    async def embedded(body: Annotated[Thing, Body(embed=True)], ask: Door) -> Response: ...

    @found.post("/two")
    async def two(one: Thing, other: Thing, ask: Door) -> Response: ...

    @found.post("/modelled")
    async def modelled(ask: Door) -> Thing: ...

    @found.get("/things")
    async def look(ask: Door) -> Response: ...

    @found.post("/files/{rest:path}")
    async def files(rest: str, ask: Door) -> Response: ...

    @found.post("/after")
    async def after(ask: Door) -> Response: ...

    return found


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("POST", "things", "make"),
        ("GET", "things", "look"),
        ("PUT", "things", None),
        ("POST", "things/7/close", "close"),
        ("POST", "things/close/close", "close"),
        ("POST", "things/7/open", "any_verb"),
        ("POST", "things//close", None),
        ("POST", "things/7/", None),
        ("POST", "things/", None),
        ("POST", "raw/x", "raw"),
        ("POST", "queried", None),
        ("POST", "doorless", None),
        ("POST", "embedded", None),
        ("POST", "two", None),
        ("POST", "modelled", None),
        ("POST", "files/a/b", None),
        ("POST", "after", None),  # after a route that may stand for any address the router alone knows
        ("POST", "nothing", None),
    ],
)
def test_an_address_leads_where_the_router_would_lead_it(method: str, path: str, endpoint: str | None) -> None:
    found = Directory(PREFIX, router().routes).find(method, path.split("/"))
    assert (None if found is None else found.endpoint.__name__) == endpoint
    if found is not None:
        assert found.route.startswith(PREFIX)
        assert found.door.action == "do"


def test_a_router_inside_is_left_to_the_framework() -> None:
    outer = APIRouter()

    @outer.post("/first")
    async def first(ask: Door) -> Response: ...

    outer.include_router(router())

    @outer.post("/things")
    async def second(ask: Door) -> Response: ...

    directory = Directory(PREFIX, outer.routes)
    assert directory.find("POST", ["first"]) is not None
    assert directory.find("POST", ["things"]) is None


def test_values_in_the_address_are_held_to_what_the_endpoint_says() -> None:
    close = Directory(PREFIX, router().routes).find("POST", ["things", "x", "close"])
    assert close is not None
    [(place, name, kind)] = close.values
    assert (place, name, kind.validate_python("12345")) == (1, "thing", "12345")
    with pytest.raises(ValueError, match="at most 5"):
        kind.validate_python("123456")


def test_headers_are_known_by_their_first_value_and_repeats_are_seen() -> None:
    head = Head([(b"a", b"1"), (b"b", b"\xe9"), (b"a", b"1"), (b"c", b"")])
    assert (head.get(b"a"), head.get(b"b"), head.get(b"c"), head.get(b"d")) == ("1", "é", "", None)
    assert head.get(b"d", "x") == "x"
    assert [head.repeated(name) for name in (b"a", b"b", b"d")] == [True, False, False]
    assert head.size == 7
