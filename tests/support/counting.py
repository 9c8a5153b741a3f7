"""A service that means nothing, for tests of the doors: counters that may not exceed 100, on a real event store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import httpx
from fastapi import APIRouter, FastAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from opsledger_events import Envelope, Event
from opsledger_events.contexts.incident import IncidentNoted
from opsledger_runtime import ids
from opsledger_runtime.auth import LOCAL_AUDIENCE, LOCAL_ISSUER, LocalIssuer, TokenVerifier
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import Invalid, NotFound, RuleViolated
from opsledger_runtime.http import Answer, Ask, Cursor, Doors, Limit, Look, Page, build_app, decode_cursor
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.projections import Projection, Table
from opsledger_runtime.service import Service
from opsledger_runtime.store import EventStore, Transaction

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
BASE = "/api/counting/v1"


@dataclass(frozen=True)
class Add:
    """Add to a counter."""

    by: int
    note: str


def decide(command: Add, total: int) -> list[Event]:
    if command.by == 0:
        return []
    if total + command.by > 100:
        raise RuleViolated("A counter goes to 100.", rule="at_most_100")
    return [IncidentNoted(text=f"{command.by} {command.note}")]


def evolve(total: int, event: Event) -> int:
    assert isinstance(event, IncidentNoted)
    return total + int(event.text.split(" ")[0])


COUNTER: Decider[Add, int] = Decider(decide, evolve, 0)


async def _apply(connection: Any, envelopes: Any) -> None:
    for envelope in envelopes:
        by, _, note = envelope.data["text"].partition(" ")
        await connection.execute(
            "insert into counter (id, total, note, organisation, version) values ($1, $2, $3, $4, $5)"
            " on conflict (id) do update set total = counter.total + excluded.total, note = excluded.note,"
            " version = excluded.version",
            envelope.subject,
            int(by),
            note,
            envelope.organisation,
            envelope.aggregateversion,
        )


COUNTERS = Projection("counters", 1, frozenset({IncidentNoted.type_name}), (Table("counter", ("id",)),), _apply)


class NewCounter(BaseModel):
    """A counter to make."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(min_length=1, max_length=500)
    by: int = Field(default=1, ge=0)
    organisation: str | None = None
    at: AwareDatetime | None = None
    labels: dict[str, Any] = {}


class More(BaseModel):
    """What to add."""

    by: int = Field(ge=0, le=2**31)
    note: str = ""


class Renamed(BaseModel):
    """A text to replace."""

    note: str


class Counter(BaseModel):
    """A counter as it is shown."""

    id: str
    total: int
    note: str


def routes(running: Any) -> APIRouter:
    router = APIRouter()
    doors: Doors = running.doors

    @router.post("/counters", status_code=201)
    async def make(body: NewCounter, ask: Annotated[Ask, doors.command("counter.make")]) -> Response:
        ask.caller.require(body.organisation)

        async def work(tx: Transaction) -> Answer:
            counter = str(ids.derived_id("counter", str(ask.command_id)))
            await tx.execute(COUNTER, counter, Add(body.by, body.note), ask.metadata(body.organisation), time=body.at)
            location = f"{BASE}/counters/{counter}"
            return Answer({"id": counter, "labels": body.labels}, status=201, version=1, location=location)

        return await ask.run(work, shared=True)

    @router.post("/counters/{counter}/add")
    async def add(counter: UUID, body: More, ask: Annotated[Ask, doors.command("counter.add")]) -> Response:
        async def work(tx: Transaction) -> Answer:
            await _known(tx, str(counter), ask)
            await running.before(tx)
            await tx.execute(
                COUNTER,
                str(counter),
                Add(body.by, body.note),
                ask.metadata(),
                expected_version=ask.expected_version,
            )
            row = await tx.connection.fetchrow("select * from counter where id = $1", str(counter))
            assert row is not None
            return Answer({"total": row["total"]}, version=row["version"])

        return await ask.run(work)

    @router.post("/counters/{counter}/reset")
    async def reset(counter: UUID, ask: Annotated[Ask, doors.command("counter.add")]) -> Response:
        async def work(tx: Transaction) -> Answer:
            await _known(tx, str(counter), ask)
            return Answer(status=204)

        return await ask.run(work)

    @router.put("/counters/{counter}/note")
    async def rename(
        counter: UUID, body: Renamed, ask: Annotated[Ask, doors.command("counter.rename", if_match=True)]
    ) -> Response:
        async def work(tx: Transaction) -> Answer:
            await _known(tx, str(counter), ask)
            written = await tx.execute(
                COUNTER, str(counter), Add(1, body.note), ask.metadata(), expected_version=ask.expected_version
            )
            return Answer({"note": body.note}, version=written[-1].aggregateversion)

        return await ask.run(work)

    @router.post("/intake", status_code=202)
    async def intake(body: dict[str, Any], ask: Annotated[Ask, doors.intake("counter.intake")]) -> Response:
        async def work(tx: Transaction) -> Answer:
            return Answer(body, status=202)

        return await ask.run(work)

    @router.post("/file", status_code=202)
    async def file(ask: Annotated[Ask, doors.file("counter.intake", "text/csv", max_body=1000)]) -> Response:
        async def work(tx: Transaction) -> Answer:
            return Answer({"bytes": list(ask.body[:10])}, status=202)

        return await ask.run(work)

    @router.get("/counters")
    async def counters(
        look: Annotated[Look, doors.query("counter.read")], limit: Limit = 50, cursor: Cursor = None, note: str = ""
    ) -> Page[Counter]:
        after = decode_cursor(cursor, str)[0] if cursor is not None else ""
        rows = await look.pool.fetch(
            "select id, total, note from counter where id > $1 and note like $4"
            " and ($2::text[] is null or organisation = any($2)) order by id limit $3",
            after,
            look.organisations(),
            limit + 1,
            note + "%",
        )
        return look.page(rows, limit, lambda row: [row["id"]], lambda row: Counter(**dict(row)))

    @router.get("/counters/{counter}")
    async def counter(counter: UUID, look: Annotated[Look, doors.query("counter.read")]) -> Response:
        row = await look.pool.fetchrow(
            "select * from counter where id = $1 and ($2::text[] is null or organisation = any($2))",
            str(counter),
            look.organisations(),
        )
        if row is None:
            raise NotFound("There is no such counter.")
        return look.answer(row, version=row["version"])

    @router.get("/numbers/{number}")
    async def number(number: int, look: Annotated[Look, doors.query("counter.read")], text: str = "") -> Response:
        return look.answer(await look.pool.fetchrow("select $1::integer as number, $2::text as text", number, text))

    @router.get("/broken")
    async def broken(look: Annotated[Look, doors.query("counter.read")]) -> Response:
        raise RuntimeError("secret detail of a fault")

    @router.get("/wrong")
    async def wrong(look: Annotated[Look, doors.query("counter.read")]) -> Response:
        raise Invalid("此值有误")

    return router


async def _known(tx: Transaction, counter: str, ask: Ask) -> None:
    row = await tx.connection.fetchrow("select organisation from counter where id = $1", counter)
    if row is None or not ask.caller.sees(row["organisation"]):
        raise NotFound("There is no such counter.")


WRITERS = frozenset({"agent", "integration"})
PERMISSIONS = {
    "counter.make": WRITERS,
    "counter.add": WRITERS,
    "counter.rename": WRITERS,
    "counter.intake": frozenset({"integration"}),
    "counter.read": frozenset({"agent", "integration", "auditor"}),
}


@dataclass
class StubRelay:
    """Numbers an event when told to."""

    numbers: dict[UUID, int] = field(default_factory=dict)
    accepting: bool = True
    outbox: int = 0
    published: int = 40

    async def number_of(self, event_id: UUID, timeout: float) -> int | None:
        return self.numbers.get(event_id, 41 if timeout >= 1 else None)

    def status(self) -> dict[str, Any]:
        at = {"numbered": 41, "published": self.published, "outbox": self.outbox}
        return {"state": "leading", **at, "oldest_seconds": 1.5}


class StubNats:
    """A connection to a server of some version."""

    is_connected = True
    connected_server_version = SimpleNamespace(major=2, minor=15, patch=1)


async def _nothing(tx: Transaction) -> None:
    return None


class FakeRunning:
    """What the doors see of a running service."""

    def __init__(self, pool: Any, issuer: LocalIssuer) -> None:
        self.service = Service("counting", "Counting", routes, PERMISSIONS, inline=(COUNTERS,))
        self.context = "counting"
        self.pool = self.keeper = pool
        self.clock = FixedClock(START)
        self.settings = SimpleNamespace(max_backlog=1000, data_dir=None, environment="test")
        self.store = EventStore("counting", "test", pool, self.clock, [COUNTERS])
        self.relay = StubRelay()
        self.nats = StubNats()
        self.watermarks = SimpleNamespace(of=lambda context: None)
        self.subscribers: list[Any] = []
        self.draining = False
        self.before: Any = _nothing
        self.verifier = TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)
        self.doors = Doors(self)  # type: ignore[arg-type]

    async def status(self) -> dict[str, Any]:
        return {"context": self.context, "relay": self.relay.status()}


@dataclass
class Counting:
    """The service behind its doors, and a client of each role."""

    running: FakeRunning
    app: FastAPI
    issuer: LocalIssuer
    http: httpx.AsyncClient

    def headers(self, role: str = "agent", **given: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(role, **given)}"}

    async def make(self, **body: Any) -> str:
        answer = await self.http.post(
            f"{BASE}/counters", json={"note": "n", **body}, headers={"Idempotency-Key": str(ids.new_id())}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def events(self) -> list[Envelope]:
        rows = await self.running.pool.fetch("select body from es.event order by recordedtime, id")
        return [Envelope.from_json(row["body"]) for row in rows]


@asynccontextmanager
async def counting_service(database: str, folder: Path, pool_size: int = 8) -> AsyncIterator[Counting]:
    """Migrate an empty database and open the doors. The client speaks as an agent."""
    await migrate(database, [MigrationSet("opsledger_runtime", ("es",))], None)
    issuer = LocalIssuer.load_or_create(folder / "issuer.json")
    async with asyncpg.create_pool(database, min_size=1, max_size=pool_size) as pool:
        await pool.execute(
            "create table counter (id text primary key, total integer not null, note text not null,"
            " organisation text, version integer not null)"
        )
        running = FakeRunning(pool, issuer)
        app = build_app([running])  # type: ignore[list-item]
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            found = Counting(running, app, issuer, http)
            http.headers.update(found.headers())
            yield found
    await asyncio.sleep(0)
