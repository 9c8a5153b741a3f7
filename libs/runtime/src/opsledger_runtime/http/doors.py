"""From a request to a command or a query: permission, command id, expected version, answer (D6, D15).

`Doors` makes the FastAPI dependencies that endpoints declare; `Ask` is a command's request, `Look` a query's.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from uuid import UUID

import structlog
from fastapi import Depends, Header, Request
from starlette.responses import Response

from opsledger_runtime import ids
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import DomainError, VersionConflict
from opsledger_runtime.group_commit import GroupCommit
from opsledger_runtime.http import exchange as exchanges
from opsledger_runtime.http import idempotency, positions
from opsledger_runtime.http.answers import Answer, json_bytes, render
from opsledger_runtime.http.exchange import Exchange
from opsledger_runtime.http.limits import Admission, Slots
from opsledger_runtime.http.pages import Page, page_of
from opsledger_runtime.http.problems import Problem
from opsledger_runtime.metrics import Gauge
from opsledger_runtime.planted import planted
from opsledger_runtime.store import Metadata, Transaction

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

T = TypeVar("T")

STATUS_ACTION: Final = "runtime.status"
EVENTS_ACTION: Final = "runtime.events"
INSIGHT_ROLES: Final = frozenset({"operator", "auditor", "administrator"})
INTAKE_BODY: Final = 8 * 1024 * 1024
"""Largest body of an intake, in bytes, unless it states its own."""

_VERSION: Final = re.compile(r'"([0-9]{1,9})"')
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="1 to 255 visible characters; a repeat gets the first answer again."),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description='The version that you read, as `"<n>"`.')]
Prefer = Annotated[str | None, Header(description="`wait=<seconds>`: answer when the write has its number.")]
Position = Annotated[
    str | None,
    Header(alias="Opsledger-Position", description="`<context>:<no>` of a write that this read must show."),
]


@dataclass(frozen=True, slots=True)
class Door:
    """What the gate must know of an endpoint before it reads the body.

    `media`: the body is a file of one of these types and no JSON; the endpoint finds it as it came in `ask.body`.
    """

    action: str
    intake: bool = False
    max_body: int | None = None
    media: tuple[str, ...] = ()


class Doors:
    """The doors of one running service."""

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._permissions: dict[str, frozenset[str]] = {
            **running.service.permissions,
            STATUS_ACTION: INSIGHT_ROLES,
            EVENTS_ACTION: INSIGHT_ROLES,
        }
        self.slots = Slots(running)
        self.admission = Admission(running, self.slots)
        self.group_commit = GroupCommit(running.store, self.slots, self.slots.number)
        self.kept = idempotency.Kept(running)
        self.gauges: list[Gauge] = []

    def command(self, action: str, *, if_match: bool = False, max_body: int | None = None) -> Any:
        """A dependency that gives an `Ask` to callers who may do `action`.

        Write `ask: Annotated[Ask, running.doors.command("thing.make")]`. `if_match`: text or a definition is replaced,
        so the caller must say which version it saw. `max_body` in bytes where 1 MiB is wrong.

        Raises:
            LookupError: no such action in the service's permissions (at start, not at the first request).
        """
        return self._ask(Door(action, max_body=max_body), if_match)

    def file(self, action: str, *media: str, max_body: int = INTAKE_BODY) -> Any:
        """As `command`, for a body that is a file of one of these media types, for example `text/csv`."""
        return self._ask(Door(action, max_body=max_body, media=media), False)

    def intake(self, action: str, *, max_body: int = INTAKE_BODY) -> Any:
        """As `command`, for machines that cannot send an Idempotency-Key and do not repeat what was refused.

        Characters that cannot be stored are replaced by U+FFFD instead of refused.
        """
        return self._ask(Door(action, intake=True, max_body=max_body), False)

    def query(self, action: str) -> Any:
        """A dependency that gives a `Look` to callers who may do `action`, after the wait for their position."""
        roles = self._roles(action)

        async def look(request: Request, opsledger_position: Position = None) -> Look:
            exchange = exchanges.of(request.scope)
            exchange.kind, exchange.action = "query", action
            caller = _permitted(exchange, roles)
            if opsledger_position is not None:
                wanted = positions.parse_positions(opsledger_position)
                if not await positions.wait_until_applied(self._running, wanted):
                    exchange.headers.append((positions.BEHIND, "true"))
            return Look(caller, self._running, request, exchange)

        look.opsledger_door = Door(action)  # type: ignore[attr-defined]
        return Depends(look)

    def gauge(
        self, name: str, help_text: str, labels: Sequence[str], read: Callable[[], Awaitable[Mapping[Any, float]]]
    ) -> None:
        """Show a number of the service's own at /metrics as `opsledger_<name>`.

        `read` is called at each scrape and gives values by tuple of label values, for example
        `{("mail", "waiting"): 3}` for labels `("channel", "state")`; `context` is added as first label.
        """
        self.gauges.append(Gauge(name, help_text, tuple(labels), read))

    def _roles(self, action: str) -> frozenset[str]:
        if action not in self._permissions:
            raise LookupError(f"{self._running.context} declares no permission for {action}")
        return self._permissions[action] | {"administrator"}

    def _ask(self, door: Door, if_match: bool) -> Any:
        roles = self._roles(door.action)

        def asked(exchange: Exchange) -> Ask:
            exchange.kind, exchange.action = "command", door.action
            caller = _permitted(exchange, roles)
            head = exchange.head
            if head.repeated(b"idempotency-key") or head.repeated(b"if-match"):
                raise Problem("bad_request")
            key = head.get(b"idempotency-key")
            if key is None and caller.machine and not door.intake:
                raise Problem("idempotency_key_required")
            if key is not None and not _KEY.fullmatch(key):
                raise Problem("bad_idempotency_key")
            version = _expected_version(head.get(b"if-match"), if_match)
            command_id = ids.new_id() if key is None else ids.caller_command_id(caller.subject, key)
            structlog.contextvars.bind_contextvars(command_id=str(command_id))
            return Ask(
                caller,
                command_id,
                version,
                keyed=key is not None,
                wait=positions.preferred_wait(head.get(b"prefer")),
                running=self._running,
                exchange=exchange,
            )

        async def ask(
            request: Request,
            idempotency_key: IdempotencyKey = None,
            if_match_header: IfMatch = None,
            prefer: Prefer = None,
        ) -> Ask:
            # The parameters are there for the description; the values come from the exchange, as they do for a
            # command that does not pass through the framework.
            found = asked(exchanges.of(request.scope))
            await request.body()  # the fingerprint covers it, even where the endpoint has no use for it
            return found

        ask.opsledger_door = door  # type: ignore[attr-defined]
        ask.opsledger_asked = asked  # type: ignore[attr-defined]
        return Depends(ask)


@dataclass(slots=True)
class Ask:
    """A command as a caller asked for it. `expected_version` None: the caller named none."""

    caller: Caller
    command_id: UUID
    expected_version: int | None
    keyed: bool
    wait: float | None
    running: "Running"
    exchange: Exchange

    @property
    def body(self) -> bytes:
        """The body as it came; for an endpoint whose body is a file."""
        return self.exchange.body

    def metadata(self, organisation: str | None = None) -> Metadata:
        """Who asked and why, for the events of this command."""
        return Metadata(
            command_id=self.command_id,
            actor=self.caller.subject,
            organisation=organisation,
            traceparent=self.exchange.trace.traceparent,
        )

    async def run(self, work: Callable[[Transaction], Awaitable[Answer]], *, shared: bool = False) -> Response:
        """Run `work` in one transaction with the keeping of its answer, and answer.

        `work` may run more than once: after somebody else's append, where the caller named no version. `shared`: other
        commands may be in the transaction, for work that `GroupCommit.run` is for.

        Raises:
            Problem: overload, a reused or busy Idempotency-Key.
            DomainError: whatever `work` refuses with.
        """
        async with self.running.doors.admission:
            kept = await self._kept(work, shared)
        self.exchange.outcome = "replayed" if kept.replayed else "accepted"
        headers = dict(kept.headers)
        if kept.replayed:
            headers["Idempotency-Replayed"] = "true"
        if kept.event is not None:
            wait = self.wait if self.wait is not None or not kept.replayed else 0.0
            headers[positions.POSITION] = await positions.written_position(self.running, kept.event, wait)
            if self.wait is not None:
                headers["Preference-Applied"] = f"wait={self.wait:.0f}"
        return Response(kept.body, kept.status, headers)

    async def _kept(self, work: Callable[[Transaction], Awaitable[Answer]], shared: bool) -> idempotency.KeptAnswer:
        doors = self.running.doors
        early: asyncio.Future[idempotency.KeptAnswer] | None = None
        if planted("acknowledge-before-commit"):
            early = asyncio.get_running_loop().create_future()

        async def attempt(transaction: Transaction) -> idempotency.KeptAnswer:
            # A repeat is rare: in a shared transaction it is found out when its answer is stored a second time.
            if self.keyed and (transaction.again or not shared):
                before = await doors.kept.claim(transaction, self.command_id, self.exchange)
                if before is not None:
                    return before
            begun = len(transaction.appended)
            answer = await work(transaction)
            last = transaction.appended[-1].id if len(transaction.appended) > begun else None
            found = idempotency.KeptAnswer(answer.status, render(answer), json_bytes(answer), last)
            if self.keyed:
                await doors.kept.keep(transaction, self.command_id, self.exchange, found)
            if early is not None and not early.done():
                early.set_result(found)
                await asyncio.sleep(0.05)
            return found

        retry = self.expected_version is None
        running = doors.group_commit.run(attempt, retry=retry) if shared else self._alone(attempt, retry)
        try:
            if early is not None:
                return await _first(early, running)
            return await running
        except DomainError as error:
            # A twin of this command may have had its effect a moment ago: then its answer is the answer.
            if self.keyed and (twin := await doors.kept.find(self.command_id, self.exchange)) is not None:
                return twin
            if isinstance(error, VersionConflict) and self.expected_version is not None:
                raise Problem("version_conflict", status=412) from error
            raise

    async def _alone(self, work: Callable[[Transaction], Awaitable[T]], retry: bool) -> T:
        async with self.running.doors.slots:
            return await self.running.store.run(work, retry=retry)


@dataclass(frozen=True, slots=True)
class Look:
    """A query as a caller asked for it; it has waited for the caller's position."""

    caller: Caller
    running: "Running"
    request: Request
    exchange: Exchange

    @property
    def pool(self) -> Any:
        """The service's connections."""
        return self.running.pool

    @property
    def now(self) -> datetime:
        """Domain time."""
        return self.running.clock.now()

    def organisations(self) -> list[str] | None:
        """For `where ($1::text[] is null or organisation = any($1))`."""
        return None if self.caller.organisations is None else list(self.caller.organisations)

    def answer(self, body: Any, *, version: int | None = None) -> Response:
        """The body as JSON, with the version as its ETag."""
        answer = Answer(body, version=version)
        return Response(json_bytes(answer), answer.status, render(answer))

    def page(
        self,
        rows: Sequence[Any],
        limit: int,
        position: Callable[[Any], Sequence[Any]],
        item: Callable[[Any], T] = lambda row: row,
    ) -> Page[T]:
        """A page from rows that were selected with `limit + 1`, with a `Link` header to the next one."""
        found = page_of(rows, limit, position, item)
        if found.next is not None:
            url = self.request.url.include_query_params(cursor=found.next)
            self.exchange.headers.append(("Link", f'<{url.path}?{url.query}>; rel="next"'))
        return found


_left_behind: set[asyncio.Future[Any]] = set()


async def _first(early: asyncio.Future[T], running: Any) -> T:
    """The early answer, while the rest goes on in the background: only for the planted bug."""
    task = asyncio.ensure_future(running)
    _left_behind.add(task)
    task.add_done_callback(_left_behind.discard)
    await asyncio.wait([early, task], return_when=asyncio.FIRST_COMPLETED)
    return early.result() if early.done() else await task


def _permitted(exchange: Exchange, roles: frozenset[str]) -> Caller:
    caller = exchange.caller
    if caller is None:
        raise Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
    if not caller.roles & roles:
        raise Problem("role_forbidden", action=exchange.action or "", roles=", ".join(sorted(roles)))
    return caller


def _expected_version(header: str | None, required: bool) -> int | None:
    if header is None:
        if required:
            raise Problem("if_match_required")
        return None
    match = _VERSION.fullmatch(header.strip())
    if match is None:
        raise Problem("bad_if_match")
    return int(match[1])
