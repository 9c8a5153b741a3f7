"""What every request passes before and after routing: trace, token, body, problem, log line, metric.

A plain ASGI middleware. It authenticates before anything is read, hands the body to the endpoint only when it is
strict JSON within the endpoint's limit, and turns whatever is raised into a problem document.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opsledger_runtime import metrics, problem_texts
from opsledger_runtime.auth import Unauthenticated
from opsledger_runtime.clock import monotonic
from opsledger_runtime.http import exchange as exchanges
from opsledger_runtime.http import problems, strictjson
from opsledger_runtime.http.exchange import Exchange
from opsledger_runtime.http.head import Head
from opsledger_runtime.http.problems import Problem
from opsledger_runtime.http.shortcuts import Directory, Shortcut
from opsledger_runtime.http.tracing import continue_trace

if TYPE_CHECKING:
    from opsledger_runtime.http.doors import Door
    from opsledger_runtime.running import Running

MAX_BODY: Final = 1024 * 1024
"""Largest body in bytes, unless an endpoint's door says otherwise."""

MAX_HEADERS: Final = 32 * 1024
BODY_SECONDS: Final = 30.0
DISCARDED_BODY: Final = 16 * 1024 * 1024
"""Bytes beyond the limit that are read and forgotten, so that the sender hears the answer."""

DISCARD_SECONDS: Final = 5.0
VERSION: Final = "v1"
"""The part of every address after the service's."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class Gate:
    """The middleware. `directories`: by context, the commands that need no router."""

    def __init__(
        self, app: ASGIApp, runnings: "Mapping[str, Running]", directories: Mapping[str, Directory] | None = None
    ) -> None:
        self._app = app
        self._runnings = runnings
        self._directories = directories or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = monotonic()
        head = Head(scope["headers"])
        exchange = Exchange(
            method=scope["method"],
            path=scope["path"].encode(errors="replace").decode(),
            query=scope["query_string"].decode("latin-1"),
            language=problem_texts.choose(head.get(b"accept-language")),
            trace=continue_trace(head.get(b"traceparent")),
            head=head,
        )
        exchanges.put(scope, exchange)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=exchange.trace.trace_id)
        answer = _Sent(send, exchange)
        shortcut: Shortcut | None = None
        try:
            parts = self._enter(scope, exchange)
            body = _Body(scope, receive, exchange)
            shortcut = self._shortcut(scope, exchange, parts)
            response = None
            if shortcut is not None:
                response = await shortcut.answer(exchange, parts[4:], partial(body.read, shortcut.door))
            await (self._app if response is None else response)(scope, body, answer)
        except Exception as error:
            _log_error(error)
            if answer.started:
                raise
            await problems.response(error, exchange)(scope, receive, answer)
        finally:
            route = route_template(scope) if shortcut is None else shortcut.route
            door = _door(scope) if shortcut is None else shortcut.door
            _account(exchange, route, door, answer.status, monotonic() - started)
            structlog.contextvars.clear_contextvars()

    def _enter(self, scope: Scope, exchange: Exchange) -> list[str]:
        head = exchange.head
        if head.size > MAX_HEADERS:
            raise Problem("headers_too_large", limit=MAX_HEADERS)
        _check_address(scope)
        parts = exchange.path.split("/")
        if len(parts) < 4 or parts[1] != "api" or parts[2] not in self._runnings:
            return parts
        exchange.running = self._runnings[parts[2]]
        value = head.get(b"authorization")
        challenge = 'Bearer realm="opsledger"'
        if value is None:
            raise Problem("unauthenticated", headers={"WWW-Authenticate": challenge})
        scheme, _, token = value.partition(" ")
        try:
            if scheme.lower() != "bearer" or head.repeated(b"authorization"):
                raise Unauthenticated("not_bearer")
            exchange.caller = exchange.running.verifier.verify(token.strip())
        except Unauthenticated as error:
            structlog.contextvars.bind_contextvars(reason=error.reason)
            raise Problem("bad_token", headers={"WWW-Authenticate": f'{challenge}, error="invalid_token"'}) from error
        structlog.contextvars.bind_contextvars(caller=exchange.caller.subject)
        return parts

    def _shortcut(self, scope: Scope, exchange: Exchange, parts: Sequence[str]) -> Shortcut | None:
        directory = self._directories.get(exchange.context)
        if directory is None or parts[3] != VERSION or scope.get("root_path"):
            return None
        return directory.find(exchange.method, parts[4:])


class _Body:
    """`receive` for the application: reads the whole body at its first call, when the endpoint's limit is known."""

    def __init__(self, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        self._scope = scope
        self._head = exchange.head
        self._receive = receive
        self._exchange = exchange
        self._given = False
        self._content: bytes | None = None
        self._value: Any = None

    async def __call__(self) -> Message:
        if self._given or self._exchange.method in _SAFE:
            return await self._receive()
        self._given = True
        if self._content is None:
            await self.read(_door(self._scope))
        return {"type": "http.request", "body": self._content, "more_body": False}

    async def read(self, door: "Door | None") -> Any:
        """What the body says; None where it is empty.

        Raises:
            Problem: too large, too slow, of another type, or no strict JSON.
        """
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._collect((door.max_body if door else None) or MAX_BODY)
        except TimeoutError:
            raise Problem("body_too_slow", headers={"Connection": "close"}, seconds=int(BODY_SECONDS)) from None
        self._exchange.body = self._content = body
        if not body:
            return None
        self._check_type(door)
        if door is not None and door.media:
            return None
        if door is not None and door.intake:
            value, self._content = strictjson.mended(body)
            return value
        return strictjson.check(body)

    async def _collect(self, limit: int) -> bytes:
        stated = self._head.get(b"content-length", "")
        if stated.isascii() and stated.isdigit() and (len(stated) > 15 or int(stated) > limit):
            if "100-continue" not in self._head.get(b"expect", "").lower():
                await self._let_finish()
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Problem("bad_request")  # nobody is there to read the answer
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                await self._let_finish()
                raise _too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _let_finish(self) -> None:
        """Take and forget the rest of a body that is too large, within limits.

        A client that is still sending when the connection closes sees a reset in place of the answer.
        """
        left = DISCARDED_BODY
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    def _check_type(self, door: "Door | None") -> None:
        if self._head.get(b"content-encoding", "identity").lower() != "identity":
            raise Problem("unsupported_encoding")
        kind, *parameters = self._head.get(b"content-type", "").lower().split(";")
        kind = kind.strip()
        if door is not None and door.media:
            if kind not in door.media:
                raise Problem("unsupported_file_type", media=", ".join(door.media))
            return
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise Problem("unsupported_media_type")
        for parameter in parameters:
            name, _, value = parameter.strip().partition("=")
            if name == "charset" and value.strip('"') not in ("utf-8", "utf8", "us-ascii"):
                raise Problem("unsupported_media_type")


class _Sent:
    """`send` that adds the exchange's headers and remembers whether and how the answer began."""

    def __init__(self, send: Send, exchange: Exchange) -> None:
        self._send = send
        self._exchange = exchange
        self.started = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"traceparent", self._exchange.trace.traceparent.encode()),
                (b"x-content-type-options", b"nosniff"),
                *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self._exchange.headers),
            ]
        await self._send(message)


def _too_large(limit: int) -> Problem:
    return Problem("body_too_large", headers={"Connection": "close"}, limit=limit)


def _check_address(scope: Scope) -> None:
    path: Any = scope.get("raw_path") or scope["path"].encode(errors="surrogatepass")
    for part in (path, scope["query_string"].replace(b"+", b" ")):
        if b"%" not in part and part.isascii() and b"\0" not in part:
            continue
        try:
            bad = "\0" in unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            bad = True
        if bad:
            raise Problem("bad_path")


def _door(scope: Scope) -> "Door | None":
    """The door among the dependencies of the endpoint that routing chose."""
    dependant = getattr(scope.get("route"), "dependant", None)
    for dependency in getattr(dependant, "dependencies", ()):
        found: Door | None = getattr(dependency.call, "opsledger_door", None)
        if found is not None:
            return found
    return None


def route_template(scope: Scope) -> str:
    """The address with its parameters' names in place of their values; `unrouted` where nothing matched."""
    if "route" not in scope:
        return "unrouted"
    names = {str(value): name for name, value in scope.get("path_params", {}).items()}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in scope["path"].split("/"))


def _log_error(error: Exception) -> None:
    if problems.is_foreseen(error):
        return
    log = structlog.get_logger()
    match problems.unforeseen_code(error):
        case "internal":
            log.error("request_failed", exc_info=error)
        case "unavailable":
            log.warning("dependency_unavailable", error=repr(error))
        case code:
            log.warning("database_refused_value", code=code, exc_info=error)


def _account(exchange: Exchange, route: str, door: "Door | None", status: int, seconds: float) -> None:
    log = structlog.get_logger()
    action = exchange.action or (door.action if door is not None else "")
    at = {"method": exchange.method, "route": route, "status": status}
    if exchange.running is not None and (exchange.kind == "command" or exchange.method not in _SAFE):
        outcome = exchange.outcome or ("failed" if status >= 500 else "refused" if status >= 400 else "accepted")
        metrics.child(metrics.COMMANDS, exchange.context, action, outcome).inc()
        if status >= 400:
            metrics.child(metrics.REFUSED, exchange.context, action, exchange.code).inc()
            log.warning("command_refused", service=exchange.context, action=action, code=exchange.code, **at)
    elif exchange.running is not None and status in (401, 403):
        log.warning("query_refused", service=exchange.context, action=action, code=exchange.code, **at)
    metrics.child(metrics.REQUESTS, exchange.context, _method(exchange.method), route, str(status)).observe(seconds)
    log.info("request_done", service=exchange.context, ms=round(seconds * 1000, 1), **at)


def _method(method: str) -> str:
    """One label for every method that nobody should use, so that a caller cannot make up series."""
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
