"""The cmdb service behind its own doors on a real event store: no bus, a clock that stands still until told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from tests.support.servers import new_database

from cmdb.app import SERVICE
from cmdb.seed import seed_store
from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.auth import LOCAL_AUDIENCE, LOCAL_ISSUER, LocalIssuer, TokenVerifier
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.http import Doors, build_app
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest
from opsledger_runtime.store import EventStore

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
BASE = "/api/cmdb/v1"


class _Relay:
    """Numbers nothing."""

    accepting = True

    async def number_of(self, event_id: UUID, timeout: float) -> int | None:
        return None

    def status(self) -> dict[str, Any]:
        return {"state": "standby", "numbered": 0, "published": 0, "outbox": 0, "oldest_seconds": 0.0}


class _Running:
    """What the doors see of a running service."""

    def __init__(self, pool: Any, issuer: LocalIssuer) -> None:
        self.context = "cmdb"
        self.service = SERVICE
        self.pool = pool
        self.clock = FixedClock(START)
        self.settings = SimpleNamespace(max_backlog=100_000, data_dir=None, environment="test")
        self.store = EventStore("cmdb", "test", pool, self.clock, SERVICE.inline)
        self.relay = _Relay()
        self.subscribers: list[Any] = []
        self.draining = False
        self.verifier = TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)
        self.doors = Doors(self)  # type: ignore[arg-type]


@dataclass
class Register:
    """The running service, and a client that speaks as a lead unless told otherwise."""

    running: _Running
    issuer: LocalIssuer
    http: httpx.AsyncClient
    url: str

    @property
    def pool(self) -> Any:
        return self.running.pool

    def headers(self, role: str = "lead", **given: Any) -> dict[str, str]:
        found = {"Authorization": f"Bearer {self.issuer.token(role, **given)}"}
        if role == "integration":
            found["Idempotency-Key"] = str(ids.new_id())
        return found

    def pass_time(self, **given: float) -> datetime:
        self.running.clock.instant += timedelta(**given)
        return self.running.clock.instant

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, **given: Any) -> Any:
        """Ask and expect a status; the answer's JSON."""
        more = {} if body is None else {"json": body}
        answer = await self.http.request(method, BASE + path, **more, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, **given: Any) -> Any:
        return await self.ask("GET", path, **given)

    async def post(self, path: str, body: Any = None, **given: Any) -> Any:
        return await self.ask("POST", path, body, **given)

    async def refused(self, method: str, path: str, body: Any = None, *, status: int = 409, **given: Any) -> str:
        """The code of a refusal, which has words in Chinese too."""
        told = await self.ask(method, path, body, status=status, **given)
        return str(told["code"])

    async def item(self, key: str, item_class: str = "server", *, status: int = 201, **given: Any) -> Any:
        """Register an item; in operation and owned unless told otherwise."""
        body = {"key": key, "name": key, "item_class": item_class, "lifecycle": "operational", **given}
        return await self.post("/items", body, status=status)

    async def relate(self, source: str, relation: str, target: str, *, status: int = 201) -> Any:
        return await self.post("/relations", {"source": source, "relation": relation, "target": target}, status=status)

    async def describe(self, given: str, /, *, status: int = 200, **changes: Any) -> Any:
        """Replace what is said of an item, with these changes to what is said now."""
        now = await self.get(f"/items/{given}")
        names = ("key", "name", "item_class", "environment", "criticality", "organisation", "attributes", "identifiers")
        body = {name: now[name] for name in names} | changes
        headers = {"If-Match": f'"{now["version"]}"'}
        return await self.ask("PUT", f"/items/{given}", body, status=status, headers=headers)

    async def events(self, aggregate: str) -> list[Envelope]:
        return await self.running.store.history(aggregate)

    async def names(self, aggregate: str) -> list[str]:
        """The names of an aggregate's events, without what all items' have in common."""
        found = await self.events(aggregate)
        return [envelope.name.removeprefix("ConfigurationItem") for envelope in found]

    async def assert_rebuilt(self) -> None:
        """Every read model is what its events say: filled again from zero in the order of the outbox."""
        rows = await self.pool.fetch(
            "select e.body from es.outbox o join es.event e on e.id = o.event order by position"
        )
        envelopes = [Envelope.from_json(row["body"]) for row in rows]

        async def batches(size: int) -> AsyncIterator[list[Envelope]]:
            for start in range(0, len(envelopes), size):
                yield envelopes[start : start + size]

        owner = await asyncpg.connect(self.url, server_settings={"timezone": "UTC"})
        try:
            for projection in SERVICE.inline:
                live = await digest(owner, projection, "cmdb")
                for size in (1, 7, 1000):
                    assert live == await rebuilt_digest(owner, projection, "cmdb", batches(size)), projection.name
        finally:
            await owner.close()


@asynccontextmanager
async def cmdb_database(postgres_url: str) -> AsyncIterator[str]:
    """A migrated database of its own, for many tests one after the other: migrating takes longer than most of them."""
    async with new_database(postgres_url) as url:
        await migrate(url, [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("cmdb", ("cmdb",))], None)
        yield url


async def _empty(pool: Any) -> None:
    """Back to the first day."""
    tables = await pool.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables"
        " where schemaname in ('es', 'cmdb') and tablename <> 'schema_migration'"
    )
    await pool.execute(f"truncate {', '.join(row['name'] for row in tables)} restart identity")


@asynccontextmanager
async def register(database: str, folder: Path) -> AsyncIterator[Register]:
    """Empty the database that `cmdb_database` made, seed it, and open the doors."""
    issuer = LocalIssuer.load_or_create(folder / "issuer.json")
    options = {"search_path": "cmdb, es", "timezone": "UTC"}
    async with asyncpg.create_pool(database, min_size=1, max_size=8, server_settings=options) as pool:
        await _empty(pool)
        running = _Running(pool, issuer)
        await seed_store(running.store)
        transport = httpx.ASGITransport(build_app([running]), raise_app_exceptions=True)  # type: ignore[list-item]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            found = Register(running, issuer, http, database)
            http.headers.update(found.headers())
            yield found
