"""Good commands go straight from the gate to their endpoint.

FastAPI describes every endpoint and answers for all of them; finding a route among many and collecting arguments one
by one costs it more than the command itself. A shortcut does both from what is known when the process starts: the
address, the model of the body, the door. It never refuses by itself: whatever does not fit at once goes the long way,
whose answer is then the answer. So there is one place that words a refusal, and the two ways cannot disagree.
"""

import inspect
import types
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from fastapi import params
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response
from starlette.routing import BaseRoute

from opsledger_runtime.http.exchange import Exchange

if TYPE_CHECKING:
    from opsledger_runtime.http.doors import Ask, Door

_MISSING: Final = object()

Read = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One endpoint: a door, values in its address, and at most one JSON body."""

    route: str
    door: "Door"
    endpoint: Callable[..., Awaitable[Response]]
    ask: str
    asked: "Callable[[Exchange], Ask]"
    values: tuple[tuple[int, str, TypeAdapter[Any]], ...]
    body: tuple[str, TypeAdapter[Any], Any] | None

    async def answer(self, exchange: Exchange, parts: Sequence[str], read: Read) -> Response | None:
        """The endpoint's answer; None where the long way must say what is wrong.

        The order is FastAPI's: a body that cannot be read is told of before a role that may not.

        Raises:
            Problem, DomainError: as body, door and endpoint do.
        """
        given: dict[str, Any] = {}
        if self.body is None:
            given[self.ask] = self.asked(exchange)
            await read()
        else:
            value = await read()
            given[self.ask] = self.asked(exchange)
            name, model, default = self.body
            if exchange.body:
                try:
                    given[name] = model.validate_python(value)
                except ValidationError:
                    return None
            elif default is _MISSING:
                return None
            else:
                given[name] = default
        for place, name, kind in self.values:
            try:
                given[name] = kind.validate_python(parts[place])
            except ValidationError:
                return None
        return await self.endpoint(**given)


class Directory:
    """The shortcuts of one service, by method and address below its own; the first route that fits is the one."""

    def __init__(self, prefix: str, routes: Sequence[BaseRoute]) -> None:
        self._listed: dict[tuple[str, int], list[tuple[tuple[str | None, ...], Shortcut | None]]] = {}
        for route in routes:
            if not isinstance(route, APIRoute):
                return  # it may stand for any address, so what follows it is left to the router
            for method in route.methods or ():
                segments = _segments(route.path)
                if segments is None:
                    return
                known = self._listed.setdefault((method, len(segments)), [])
                known.append((segments, _shortcut(prefix, route)))

    def find(self, method: str, parts: Sequence[str]) -> Shortcut | None:
        """The shortcut for an address in parts, if there is one."""
        for segments, shortcut in self._listed.get((method, len(parts)), ()):
            if all(
                part != "" if wanted is None else part == wanted for wanted, part in zip(segments, parts, strict=True)
            ):
                return shortcut
        return None


def _segments(path: str) -> tuple[str | None, ...] | None:
    """The parts of an address, None for a value; None where a value may hold a slash."""
    found: list[str | None] = []
    for part in path.split("/")[1:]:
        if not part.startswith("{"):
            if "{" in part:
                return None
            found.append(part)
        elif part.endswith("}") and part[1:-1].isidentifier():
            found.append(None)
        else:
            return None
    return tuple(found)


def _shortcut(prefix: str, route: APIRoute) -> Shortcut | None:
    """The shortcut to an endpoint, or None where it takes something that only the framework can give it."""
    signature = inspect.signature(route.endpoint)
    answers = signature.return_annotation
    if route.dependencies or not (isinstance(answers, type) and issubclass(answers, Response)):
        return None
    if not inspect.iscoroutinefunction(route.endpoint):
        return None
    places = {part[1:-1]: at for at, part in enumerate(route.path.split("/")[1:]) if part.startswith("{")}
    door: Any = None
    ask = ""
    values: list[tuple[int, str, TypeAdapter[Any]]] = []
    body: tuple[str, TypeAdapter[Any], Any] | None = None
    for name, parameter in signature.parameters.items():
        kind, more = _taken_apart(parameter.annotation)
        depends = next((item for item in more if isinstance(item, params.Depends)), None)
        if depends is not None and hasattr(depends.dependency, "opsledger_asked") and door is None:
            door, ask = depends.dependency, name
        elif depends is None and name in places and parameter.default is inspect.Parameter.empty:
            values.append((places[name], name, TypeAdapter(parameter.annotation)))
        elif depends is None and body is None and _is_body(kind, more):
            default = _MISSING if parameter.default is inspect.Parameter.empty else parameter.default
            body = name, TypeAdapter(parameter.annotation), default
        else:
            return None
    if door is None or len(values) != len(places):
        return None
    return Shortcut(
        prefix + route.path, door.opsledger_door, route.endpoint, ask, door.opsledger_asked, tuple(values), body
    )


def _taken_apart(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        kind, *more = get_args(annotation)
        return kind, tuple(more)
    return annotation, ()


def _is_body(kind: Any, more: tuple[Any, ...]) -> bool:
    if any(type(item) is params.Body and not item.embed for item in more):
        return True
    if more:
        return False
    if get_origin(kind) is dict:
        return True
    kinds = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    models = [one for one in kinds if one is not type(None)]
    return len(models) == 1 and isinstance(models[0], type) and issubclass(models[0], BaseModel)
